// A load test: spreads the plan over processes, starts them at one moment, adds up.
// User i goes to process i modulo their number, so that each gets a share of every ramp.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

import { partOf, told } from './allowed.mjs';
import { emit } from './events.mjs';
import { amountOf, shareOf } from './loops.mjs';
import { onRenewed } from './renewed.mjs';
import { stopOnSignals, USERS, Worker } from './workers.mjs';

const PROGRESS_MS = 1000;
const START_DELAY_MS = 100;
const EXIT_STATUS = { SIGINT: 130, SIGTERM: 143 };

export async function main(config, lines) {
  const { processes } = config;
  const workers = Array.from({ length: processes }, (_, number) => start(config, number));
  const stop = stopOnSignals(workers);
  let readiness;
  let notReady;
  let probe;
  const tellWorkers = onRenewed((values) => workers.forEach((worker) => worker.send({ type: 'renewed', values })));
  try {
    // whoever started this goes on preparing, and tells by a line, or by the input's end
    if (config.held) await Promise.race([lines.next(), stop.asked]);
    readiness = await readinessFor(config); // its time begins
    await Promise.race([readiness.tokens?.begin(), stop.asked]);
    const prepared = Promise.all([readiness.wait(), ...workers.map((worker) => worker.ready)]);
    [notReady] = (await Promise.race([prepared, stop.asked])) ?? [];
    if (notReady) stop.now('SIGTERM');
    else {
      probe = await Promise.race([readiness.probe?.(), stop.asked]);
      if (!stop.signal) await measure(workers);
    }
  } catch (error) {
    stop.now('SIGTERM'); // one process failed: the others write what they have
    await Promise.allSettled(workers.map((worker) => worker.ended));
    throw error;
  } finally {
    readiness?.stop();
    readiness?.tokens?.stop();
    tellWorkers();
    stop.cancel();
  }
  if (notReady) {
    await Promise.allSettled(workers.map((worker) => worker.ended));
    emit({ event: 'done', not_ready: notReady, ...told() });
    return 0;
  }
  emit({
    event: 'done',
    interrupted: Boolean(stop.signal),
    round_trip_ms: readiness.roundTripMs,
    probe,
    elapsed_s: Math.max(...workers.map((worker) => worker.last.elapsed_s ?? 0)),
    processes: workers.map((worker) => worker.last),
    ...told(workers.map((worker) => worker.last.allowed)),
  });
  return EXIT_STATUS[stop.signal] ?? 0;
}

/** What waits for the API. Newman takes half a second to load: not where nobody waits. */
async function readinessFor(config) {
  if (!config.ready_timeout_ms && !mayNeedTokens(config)) {
    return { wait: async () => undefined, stop() {}, roundTripMs: 0 };
  }
  const { loadScenarios, wantedTokens } = await import('./scenarios.mjs');
  const { Readiness } = await import('./ready.mjs');
  const { Tokens } = await import('./tokens.mjs');
  const scenarios = await loadScenarios(config);
  const readiness = new Readiness(config, scenarios.map(({ inputs }) => inputs));
  readiness.tokens = new Tokens(wantedTokens(config, scenarios));
  return readiness;
}

/** Whether somebody must be asked for a token; where nobody may be asked, nobody is. */
function mayNeedTokens({ only_port, oauth2 = {}, scenarios = [], ...config }) {
  if (only_port) return false;
  const collections = [config, ...scenarios].map(({ collection }) => collection).filter(Boolean);
  return Object.keys(oauth2).length > 0 || collections.some((path) => readFileSync(path, 'utf8').includes('oauth2'));
}

function start({ plan, allowed, ...others }, number) {
  const { processes } = others;
  const samplesPath = join(others.folder, `${others.name}-${number}.part.jsonl`);
  const share = shareOf(plan, number, processes);
  const config = { ...others, allowed: partOf(allowed, amountOf(share) / amountOf(plan)) };
  return new Worker(USERS, number, { config, plan: share, processes, samplesPath });
}

/** Starts all users at one moment and waits for their end. */
async function measure(workers) {
  const finished = workers.map((worker) => worker.finished);
  const at = performance.timeOrigin + performance.now() + START_DELAY_MS;
  workers.forEach((worker) => worker.send({ type: 'go', at }));
  emit({ event: 'go' });
  const progress = setInterval(() => {
    const { requests, errors, active } = total(workers);
    const elapsed_s = Math.max(0, performance.timeOrigin + performance.now() - at) / 1000;
    emit({ event: 'progress', elapsed_s, requests, errors, active_users: active });
  }, PROGRESS_MS);
  try {
    await Promise.all(finished);
  } finally {
    clearInterval(progress);
  }
}

function total(workers) {
  const sum = { requests: 0, errors: 0, active: 0 };
  for (const { last } of workers) for (const key of Object.keys(sum)) sum[key] += last[key];
  return sum;
}
