// A virtual user of a test with several scenarios: each iteration is of the one whose turn it is.
//
// A run of Newman has one collection, so such a user has a run for each scenario, of which all but
// one are paused. It has one connection, as any user; variables, cookies and the row of a data file
// are each scenario's own.

import { ownConnection } from './connection.mjs';
import { User } from './user.mjs';

export class MixedUser {
  #users;
  #loop;
  #clock;
  #turns;
  #connection;
  #current;
  #timer;
  #over = false;
  iterations = 0;
  endMs; // of a closed loop

  /**
   * @param index as of a User
   * @param settings as of a User, but with `scenarios` in the place of inputs
   * @param loop as of a User
   * @param report as of a User
   * @param turns says which scenario is next; shared by the users of a process
   */
  constructor(index, { scenarios, ...settings }, loop, report, turns) {
    this.#loop = loop;
    this.#clock = settings.clock;
    this.#turns = turns;
    this.#connection = ownConnection({ limitMs: settings.requestTimeoutMs, only: settings.onlyPort, itemName: () => this.#current.itemName });
    const inner = { countsWaits: loop.countsWaits, next: (user, now) => this.#next(user, now) };
    this.#users = scenarios.map(
      ({ inputs, named }) =>
        new User(index, { ...settings, inputs, named, connection: this.#connection }, inner, (sample) =>
          report({ ...sample, iteration: this.iterations }),
        ),
    );
    this.#current = this.#users[0];
  }

  async prepare() {
    for (const user of this.#users) await user.prepare();
    this.ended = Promise.all(this.#users.map((user) => user.ended)).finally(() => this.#connection.close());
    this.ended.catch(() => {}); // whoever waits for it sees the error
  }

  get busy() {
    return this.#current.busy;
  }

  get dueMs() {
    return this.#current.dueMs;
  }

  begin(dueMs) {
    this.#current = this.#users[this.#turns.next()];
    this.#current.begin(dueMs);
  }

  withdraw() {
    return this.#current.withdraw();
  }

  stop() {
    this.#over = true;
    clearTimeout(this.#timer);
    for (const user of this.#users) user.stop();
  }

  giveUp() {
    this.#current.giveUp();
  }

  /** What a scenario's run is to do after an iteration: go on, or wait until it is its turn. */
  #next(user, now) {
    this.iterations += 1;
    const due = this.#loop.next(this, now);
    if (due === null) {
      for (const other of this.#users) if (other !== user) other.stop();
      return null;
    }
    if (due === undefined || this.#over) return undefined;
    const next = this.#users[this.#turns.next()];
    if (next === user) return due;
    this.#current = next;
    const wait = due - this.#clock.now();
    if (wait < 1) next.begin(due);
    else this.#timer = setTimeout(() => next.begin(due), wait);
    return undefined;
  }
}

/** A user for a test's scenarios: one of a single scenario needs no turns. */
export function userOf(index, { scenarios, ...settings }, loop, report, turns) {
  if (scenarios.length > 1) return new MixedUser(index, { scenarios, ...settings }, loop, report, turns);
  const [{ inputs, named }] = scenarios;
  return new User(index, { ...settings, inputs, named }, loop, report);
}
