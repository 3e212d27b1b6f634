// What came back for one item of a collection, and whether that is what the item wants.

import { statusAssertions } from './assertions.mjs';

const rules = new WeakMap(); // by item: its scripts are read once

export class Answer {
  #item;
  #listen;
  #failed = false;
  #statusHeld = false;
  #scriptFailed = false;
  status = 0; // 0: none

  constructor(item) {
    this.#item = item;
  }

  /** Of a request that is sent more than once, as for some kinds of auth, the last counts. */
  arrived(status) {
    this.status = status;
  }

  /** @param listen "prerequest" or "test" */
  scriptBegan(listen) {
    this.#listen = listen;
  }

  asserted({ assertion, skipped }, held) {
    if (skipped) return;
    if (!held) this.#failed = true;
    else if (this.#listen === 'test' && isAboutStatus(this.#item, assertion)) {
      this.#statusHeld = true;
    }
  }

  scriptFailed() {
    this.#scriptFailed = true;
  }

  /** Whether a status of 400 or more is what the item's assertions want. */
  get isWanted() {
    return this.#statusHeld && !this.#failed;
  }

  /** The kind of its error; empty for none. */
  get error() {
    if (this.status >= 400 && !this.isWanted) return `http_${this.status}`;
    if (this.#failed) return 'assertion';
    return this.#scriptFailed ? 'script' : '';
  }
}

function isAboutStatus(item, assertion) {
  if (!rules.has(item)) {
    const events = item.events.listeners('test', { excludeDisabled: true });
    const scripts = events.map(({ script }) => script?.toSource() ?? '');
    rules.set(item, statusAssertions(scripts));
  }
  return rules.get(item)(String(assertion));
}
