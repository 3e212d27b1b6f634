// Every request of a load test, a JSON object a line, on disk within a quarter of a second.

import { closeSync, openSync, writeSync } from 'node:fs';

import { publicJson } from './secrets.mjs';

const FLUSH_MS = 250;

export class SampleFile {
  #file;
  #lines = [];
  #timer;

  constructor(path) {
    this.#file = openSync(path, 'w');
    this.#timer = setInterval(() => this.flush(), FLUSH_MS).unref();
  }

  add(sample) {
    this.#lines.push(publicJson(sample));
  }

  flush() {
    if (!this.#lines.length) return;
    writeSync(this.#file, `${this.#lines.join('\n')}\n`);
    this.#lines.length = 0;
  }

  close() {
    clearInterval(this.#timer);
    this.flush();
    closeSync(this.#file);
  }
}
