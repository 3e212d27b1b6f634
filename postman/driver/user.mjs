// One virtual user: one endless Newman run on a connection of its own, paused and resumed.
//
// A fresh newman.run per iteration would cost 75 ms of CPU (it makes a script sandbox), several
// times the iteration itself. So a user has one run for the whole test, made before it starts,
// and what the run would pile up per request is thrown away.

import { isTheEnd } from './allowed.mjs';
import { Answer } from './answer.mjs';
import { ownConnection } from './connection.mjs';
import { unansweredKind } from './errors.mjs';
import { isOfScript, latencyMs, nameOf, newman, runOptions } from './newman.mjs';
import { refresher } from './renewed.mjs';

export class User {
  #index;
  #settings;
  #loop;
  #report;
  #connection;
  #refresh = refresher();
  #run;
  #item; // that is being asked
  #answer; // to it
  #sample; // of its request, once there is an answer or none will come
  #underWay = false; // whether its request has no answer yet
  #waitMs = 0;
  #startedAt = 0;
  #timer;
  #sentAny = false; // of the iteration that it is busy with
  #withdrawn = false;
  #halted = false;
  #resumeWhenHalted = false;
  dueMs = 0;
  iterations = 0;
  busy = false;
  ended;

  /**
   * @param index number of the user, from 0
   * @param settings inputs (of `loadInputs`), requestTimeoutMs, longestMs (of a script, or
   *   nothing), clock, onlyPort (or nothing): the port of this machine where all connections go,
   *   named (or nothing): what its requests are called in figures, and connection (or nothing):
   *   somebody else's
   * @param loop says when the next iteration is due
   * @param report called with each finished request
   */
  constructor(index, settings, loop, report) {
    this.#index = index;
    this.#settings = settings;
    this.#loop = loop;
    this.#report = report;
  }

  /** Makes the run and halts it before its first request. */
  prepare() {
    return new Promise((resolve, reject) => {
      this.ended = new Promise((end, fail) => {
        const events = newman.run(this.#options(), (error) => {
          this.#reportCutOff();
          if (!this.#settings.connection) this.#connection.close();
          if (!error) return end();
          const problem = new Error(`${nameOf({ item: this.#item })}: ${error.message}`);
          reject(problem);
          return fail(problem);
        });
        events.on('start', (_error, { run }) => {
          this.#run = run;
          const rows = this.#settings.inputs.iterationData;
          if (rows) run.state.data = this.#endless(rows); // Newman itself would copy them all
          this.#halt(resolve);
        });
        this.#listen(events);
      });
      this.ended.catch(() => {}); // whoever waits for it sees the error
    });
  }

  #options() {
    const { inputs, requestTimeoutMs, longestMs, onlyPort, connection } = this.#settings;
    const itemName = () => this.#item?.name;
    this.#connection = connection ?? ownConnection({ limitMs: requestTimeoutMs, only: onlyPort, itemName });
    return runOptions({ ...inputs, iterationData: undefined }, {
      requestTimeoutMs,
      longestMs,
      connection: this.#connection,
      iterationCount: Number.MAX_SAFE_INTEGER,
    });
  }

  /** The rows of a data file, again and again: user i begins with row i. */
  #endless(rows) {
    return new Proxy(rows, {
      get: (_target, name) =>
        name === 'length' ? Infinity : rows[(Number(name) + this.#index) % rows.length],
    });
  }

  /** The name of the item that is under way; nothing before the first. */
  get itemName() {
    return this.#item?.name;
  }

  /** Goes on with the iteration that was due at a moment, now or in the past. */
  begin(dueMs) {
    this.#startIteration(dueMs);
    if (this.#halted) this.#resume();
    else this.#resumeWhenHalted = true;
  }

  /**
   * Gives up the iteration that it was about to begin; false if it is in none, or has sent of it.
   * What is sent of it all the same (Newman stops a little later) is counted nowhere.
   */
  withdraw() {
    this.#withdrawn = this.busy && !this.#sentAny;
    return this.#withdrawn;
  }

  /** Ends the run after the request that is under way, if one is. */
  stop() {
    clearTimeout(this.#timer);
    this.#run.abort();
  }

  #startIteration(dueMs) {
    this.busy = true;
    this.#sentAny = false;
    this.dueMs = dueMs;
    this.#waitMs = this.#loop.countsWaits ? Math.max(0, this.#settings.clock.now() - dueMs) : 0;
  }

  /** Pauses the run; that takes effect a little later, and only then can it be resumed. */
  #halt(halted = () => {}) {
    this.#run.pause(() => {
      this.#halted = true;
      halted();
      if (this.#resumeWhenHalted) this.#resume();
    });
  }

  #resume() {
    this.#halted = false;
    this.#resumeWhenHalted = false;
    this.#run.resume();
  }

  #listen(events) {
    events.on('beforeItem', (_error, { item }) => {
      this.#item = item;
      this.#answer = new Answer(item);
      this.#refresh(this.#run); // its variables are not read before
    });
    events.on('beforeRequest', (_error, outcome) => {
      if (isOfScript(outcome)) return;
      this.#sentAny = true;
      this.#underWay = true;
      this.#startedAt = this.#settings.clock.now();
    });
    events.on('request', (error, outcome) => {
      if (isTheEnd(error)) this.#run.abort();
      if (isOfScript(outcome)) return; // nobody's item: the script says what it means
      this.#underWay = false;
      this.#answer.arrived(outcome.response?.code ?? 0);
      this.#sample = this.#sampleOf(error, outcome);
    });
    events.on('beforeScript', (_error, { event }) => this.#answer.scriptBegan(event.listen));
    events.on('assertion', (error, outcome) => this.#answer.asserted(outcome, !error));
    events.on('script', (error) => {
      if (error) this.#answer.scriptFailed();
    });
    events.on('item', () => {
      this.#reportSample();
      forget(events.summary.run);
    });
    events.on('iteration', () => this.#afterIteration());
  }

  #sampleOf(error, outcome) {
    if (error) return this.#unanswered(unansweredKind(error));
    return this.#sampleFor(latencyMs(outcome), outcome.response.code, '');
  }

  #unanswered(kind) {
    return this.#sampleFor(this.#settings.clock.now() - this.#startedAt, 0, kind);
  }

  #sampleFor(elapsedMs, status, error) {
    // only an iteration's first request waited for its user
    const waitMs = this.#waitMs;
    this.#waitMs = 0;
    return {
      start_ms: round(this.#startedAt),
      latency_ms: round(elapsedMs),
      wait_ms: round(waitMs),
      user: this.#index,
      iteration: this.iterations,
      request: this.#name(), // with its variables, so that all of it have one name
      status,
      error,
    };
  }

  #name() {
    const { named = (request) => request } = this.#settings;
    return named(nameOf({ item: this.#item }));
  }

  /** Ends what does not end by itself: its script went on after everything else. */
  giveUp() {
    if (this.#sample) this.#answer.scriptFailed();
    this.#reportCutOff();
  }

  /** Counts a request that had no answer yet, or an unread one, when the test was cut off. */
  #reportCutOff() {
    if (this.#underWay) this.#sample = this.#unanswered('cut_off');
    this.#underWay = false;
    this.#reportSample();
  }

  #reportSample() {
    const sample = this.#sample;
    this.#sample = undefined;
    if (sample && !this.#withdrawn) this.#report({ ...sample, error: sample.error || this.#answer.error });
  }

  #afterIteration() {
    this.iterations += 1;
    const due = this.#loop.next(this, this.#settings.clock.now());
    if (due === null) {
      this.busy = false;
      this.#run.abort();
      return;
    }
    if (due === undefined) {
      this.busy = false;
      this.#halt(); // until the loop begins the next one
      return;
    }
    const wait = due - this.#settings.clock.now();
    if (wait < 1) {
      this.#startIteration(due);
      return;
    }
    this.#halt();
    this.#timer = setTimeout(() => this.begin(due), wait);
  }
}

/** Drops what Newman's summary keeps of each request; the same objects are in its own cache. */
function forget(run) {
  for (const execution of run.executions) {
    for (const key of Object.keys(execution)) delete execution[key];
  }
  run.executions.length = 0;
  run.failures.length = 0;
}

function round(ms) {
  return Math.round(ms * 1000) / 1000;
}
