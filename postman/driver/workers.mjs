// The processes of a load test, seen from the one that started them.

import { fork } from 'node:child_process';

const WATCH_MS = 1000;
const STOP_MS = 2000;

/** One process: its messages are facts (`last` has the newest ones) or the answer to a question. */
export class Worker {
  last = { requests: 0, errors: 0, active: 0 };
  #child;
  #answered = new Map();

  /**
   * @param script what it runs
   * @param number names it in messages
   * @param prepare its first message
   */
  constructor(script, number, prepare) {
    // Its stdout is our stderr: only events belong on stdout.
    this.#child = fork(script, { stdio: ['ignore', 2, 2, 'ipc'] });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('exit', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`load process ${number} ended with ${signal ?? `status ${code}`}`));
      });
    });
    this.#child.on('message', ({ type, ...facts }) => {
      if (this.#answered.has(type)) this.#answered.get(type)(facts);
      else this.last = facts;
    });
    this.ready = this.answer('ready');
    for (const promise of [this.ready, this.ended]) promise.catch(() => {}); // seen by main
    this.send({ type: 'prepare', number, ...prepare });
  }

  /** The next message of a type; fails if the process ends before. */
  answer(type) {
    const told = new Promise((resolve) => {
      this.#answered.set(type, (facts) => {
        this.#answered.delete(type);
        resolve(facts);
      });
    });
    const never = this.ended.then(() => {
      throw new Error(`a load process ended before it was ${type}`);
    });
    return Promise.race([told, never]);
  }

  send(message) {
    if (this.#child.connected) this.#child.send(message);
  }

  end(signal) {
    this.#child.kill(signal);
  }
}

/** Stops the workers at once on a signal, or when nobody is left to tell. */
export function stopOnSignals(workers) {
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
  const watch = setInterval(() => process.ppid === parent || stop.now('SIGTERM'), WATCH_MS);
  stop.cancel = () => clearInterval(watch);
  return stop;
}
