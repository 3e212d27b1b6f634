// The processes of a load test, seen from the one that started them.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A process of a load test's users. */
export const USERS = fileURLToPath(new URL('./worker.mjs', import.meta.url));

const WATCH_MS = 1000;
const STOP_MS = 2000;

// Its stdout is our stderr: only events belong on stdout.
const started = (script) => fork(script, { stdio: ['ignore', 2, 2, 'ipc'] });

/** One process: its messages are facts (`last` has the newest ones) or the answer to a question. */
export class Worker {
  static #spare = []; // processes that have loaded Newman, and have nothing to do yet, or any more
  last = { requests: 0, errors: 0, active: 0 };
  #child;
  #answered = new Map();

  /** Starts processes for users that will come. */
  static startSpare(count) {
    while (Worker.#spare.length < count) {
      const child = started(USERS);
      Worker.#spare.push(child);
      child.send({ type: 'warmUp' });
    }
  }

  /**
   * @param script what it runs
   * @param number names it in messages
   * @param prepare its first message
   */
  constructor(script, number, prepare) {
    this.#child = (script === USERS && Worker.#takeSpare()) || started(script);
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('exit', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`load process ${number} ended with ${signal ?? `status ${code}`}`));
      });
    });
    this.#child.on('message', ({ type, ...facts }) => {
      if (this.#answered.has(type)) this.#answered.get(type)(facts);
      if (type !== 'ready') this.last = facts;
    });
    this.ready = this.answer('ready');
    for (const promise of [this.ready, this.ended]) promise.catch(() => {}); // seen by main
    this.send({ type: 'prepare', number, ...prepare });
  }

  static #takeSpare() {
    for (let child = Worker.#spare.pop(); child; child = Worker.#spare.pop()) {
      if (child.connected) return child;
    }
    return undefined;
  }

  /** Its end, or that it has done all it was asked and waits for more. */
  get finished() {
    const done = this.answer('done').then(({ stays }) => (stays ? this.#rest() : this.ended));
    return Promise.race([done, this.ended]);
  }

  #rest() {
    for (const event of ['exit', 'message']) this.#child.removeAllListeners(event);
    Worker.#spare.push(this.#child);
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
  const heard = { SIGINT: () => stop.now('SIGINT'), SIGTERM: () => stop.now('SIGTERM') };
  for (const [signal, listener] of Object.entries(heard)) process.on(signal, listener);
  process.stdout.on('error', heard.SIGTERM);
  const watch = setInterval(() => process.ppid === parent || stop.now('SIGTERM'), WATCH_MS);
  stop.cancel = () => {
    clearInterval(watch);
    for (const [signal, listener] of Object.entries(heard)) process.off(signal, listener);
    process.stdout.off('error', heard.SIGTERM);
  };
  return stop;
}
