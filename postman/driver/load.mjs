// A load test: spreads the plan over processes, starts them at one moment, adds up.
// User i goes to process i modulo their number, so that each gets a share of every ramp.

import { fork } from 'node:child_process';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

import { emit } from './events.mjs';
import { shareOf } from './loops.mjs';

const WORKER = fileURLToPath(new URL('./worker.mjs', import.meta.url));
const PROGRESS_MS = 1000;
const START_DELAY_MS = 100;
const STOP_MS = 2000;
const EXIT_STATUS = { SIGINT: 130, SIGTERM: 143 };

export async function main(config) {
  const { processes } = config;
  const workers = Array.from({ length: processes }, (_, number) => new Worker(config, number));
  const stop = stopOnSignals(workers);
  try {
    await Promise.race([Promise.all(workers.map((worker) => worker.ready)), stop.asked]);
    if (!stop.signal) await measure(workers);
  } catch (error) {
    stop.now('SIGTERM'); // one process failed: the others write what they have
    await Promise.allSettled(workers.map((worker) => worker.ended));
    throw error;
  } finally {
    stop.cancel();
  }
  emit({
    event: 'done',
    interrupted: Boolean(stop.signal),
    elapsed_s: Math.max(...workers.map((worker) => worker.last.elapsed_s ?? 0)),
    processes: workers.map((worker) => worker.last),
  });
  return EXIT_STATUS[stop.signal] ?? 0;
}

/** Starts all users at one moment and waits for their end. */
async function measure(workers) {
  const at = performance.timeOrigin + performance.now() + START_DELAY_MS;
  workers.forEach((worker) => worker.send({ type: 'go', at }));
  emit({ event: 'go' });
  const progress = setInterval(() => {
    const { requests, errors, active } = total(workers);
    const elapsed_s = Math.max(0, performance.timeOrigin + performance.now() - at) / 1000;
    emit({ event: 'progress', elapsed_s, requests, errors, active_users: active });
  }, PROGRESS_MS);
  try {
    await Promise.all(workers.map((worker) => worker.ended));
  } finally {
    clearInterval(progress);
  }
}

class Worker {
  last = { requests: 0, errors: 0, active: 0 };
  #child;

  constructor({ plan, ...config }, number) {
    // Its stdout is our stderr: only events belong on stdout.
    this.#child = fork(WORKER, { stdio: ['ignore', 2, 2, 'ipc'] });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('exit', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`load process ${number} ended with ${signal ?? `status ${code}`}`));
      });
    });
    this.ready = new Promise((resolve) => {
      this.#child.on('message', ({ type, ...facts }) => {
        if (type === 'ready') resolve();
        else this.last = facts;
      });
    });
    this.ready = Promise.race([this.ready, this.ended]);
    for (const promise of [this.ready, this.ended]) promise.catch(() => {}); // seen by main
    const samplesPath = join(config.folder, `${config.name}-${number}.part.jsonl`);
    const share = shareOf(plan, number, config.processes);
    const { processes } = config;
    this.send({ type: 'prepare', config, plan: share, number, processes, samplesPath });
  }

  send(message) {
    if (this.#child.connected) this.#child.send(message);
  }

  end(signal) {
    this.#child.kill(signal);
  }
}

function total(workers) {
  const sum = { requests: 0, errors: 0, active: 0 };
  for (const { last } of workers) for (const key of Object.keys(sum)) sum[key] += last[key];
  return sum;
}

/** Stops the workers at once on a signal, or when nobody is left to tell. */
function stopOnSignals(workers) {
  const parent = process.ppid;
  const stop = { signal: undefined };
  stop.asked = new Promise((resolve) => {
    stop.now = (signal) => {
      if (stop.signal) return;
      stop.signal = signal;
      workers.forEach((worker) => worker.end('SIGTERM'));
      setTimeout(() => workers.forEach((worker) => worker.end('SIGKILL')), STOP_MS).unref();
      resolve();
    };
  });
  process.on('SIGINT', () => stop.now('SIGINT'));
  process.on('SIGTERM', () => stop.now('SIGTERM'));
  process.stdout.on('error', () => stop.now('SIGTERM'));
  const watch = setInterval(() => process.ppid === parent || stop.now('SIGTERM'), PROGRESS_MS);
  stop.cancel = () => clearInterval(watch);
  return stop;
}
