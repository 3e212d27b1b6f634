// What this driver is told on stdin, line by line. What is renewed is taken as it comes, whatever
// is under way; all other lines wait until somebody asks for the next one.

import { createInterface } from 'node:readline';

import { renew } from './renewed.mjs';

const RENEWED = '{"renewed":';

export class Lines {
  #waiting = [];
  #asking = [];
  #ended = false;

  constructor(input) {
    const lines = createInterface({ input });
    lines.on('line', (line) => this.#take(line));
    lines.on('close', () => {
      this.#ended = true;
      for (const answer of this.#asking.splice(0)) answer({ value: undefined, done: true });
    });
  }

  next() {
    if (this.#waiting.length) return Promise.resolve({ value: this.#waiting.shift(), done: false });
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#asking.push(resolve));
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  #take(line) {
    if (line.startsWith(RENEWED)) return renew(JSON.parse(line).renewed);
    const asking = this.#asking.shift();
    if (asking) asking({ value: line, done: false });
    else this.#waiting.push(line);
    return undefined;
  }
}
