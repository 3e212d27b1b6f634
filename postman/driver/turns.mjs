// Two versions in turns: users for each, made once, and whose turn it is comes line by line.
// A new driver for every turn would cost as much time as the turn.

import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

import { emit } from './events.mjs';
import { withAddress } from './newman.mjs';
import { Readiness } from './ready.mjs';
import { onRenewed } from './renewed.mjs';
import { loadScenarios, wantedTokens } from './scenarios.mjs';
import { Tokens } from './tokens.mjs';
import { stopOnSignals, Worker } from './workers.mjs';

const SCRIPT = fileURLToPath(new URL('./turn-worker.mjs', import.meta.url));
const START_DELAY_MS = 100;
const EXIT_STATUS = { SIGINT: 130, SIGTERM: 143 };

export async function main(config, lines) {
  const { processes } = config;
  const numbers = Array.from({ length: processes }, (_, number) => number);
  const workers = numbers.map((number) => new Worker(SCRIPT, number, { config, processes }));
  const stop = stopOnSignals(workers);
  const scenarios = await loadScenarios(config);
  const waits = Object.values(config.targets).map(
    (baseUrl) => new Readiness(config, scenarios.map(({ inputs }) => withAddress(inputs, baseUrl))),
  );
  const tokens = new Tokens(wantedTokens(config, scenarios));
  const tellWorkers = onRenewed((values) => workers.forEach((worker) => worker.send({ type: 'renewed', values })));
  try {
    await tokens.begin();
    const notReady = await Promise.race([firstNotReady(waits), stop.asked]);
    if (notReady) emit({ event: 'not_ready', ...notReady });
    if (notReady) stop.now('SIGTERM');
    if (!stop.signal) await Promise.race([follow(workers, config, lines), stop.asked]);
    if (!stop.signal) workers.forEach((worker) => worker.end('SIGTERM'));
    await Promise.allSettled(workers.map((worker) => worker.ended));
  } catch (error) {
    stop.now('SIGTERM');
    await Promise.allSettled(workers.map((worker) => worker.ended));
    throw error;
  } finally {
    waits.forEach((readiness) => readiness.stop());
    tokens.stop();
    tellWorkers();
    stop.cancel();
  }
  emit({ event: 'done', interrupted: Boolean(stop.signal) });
  return EXIT_STATUS[stop.signal] ?? 0;
}

async function firstNotReady(waits) {
  return (await Promise.all(waits.map((readiness) => readiness.wait()))).find(Boolean);
}

/** Makes the turns that are asked for, one after the other, until nobody asks any more. */
async function follow(workers, config, lines) {
  await Promise.all(workers.map((worker) => worker.ready));
  emit({ event: 'ready' });
  for await (const line of lines) {
    const { target, duration_ms: durationMs, warm_up_ms: warmUpMs, name } = JSON.parse(line);
    const at = performance.timeOrigin + performance.now() + START_DELAY_MS;
    const answers = workers.map((worker, number) => {
      const samplesPath = join(config.folder, `${name}-${number}.part.jsonl`);
      const answer = worker.answer('turned');
      worker.send({ type: 'turn', target, at, durationMs, warmUpMs, samplesPath });
      return answer;
    });
    const processes = await Promise.all(answers);
    const elapsed_s = Math.max(...processes.map((process) => process.elapsed_s));
    emit({ event: 'turn', name, elapsed_s, processes });
  }
}
