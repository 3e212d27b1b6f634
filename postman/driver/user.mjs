// One virtual user: one endless Newman run on a connection of its own, paused and resumed.
//
// A fresh newman.run per iteration would cost 75 ms of CPU (it makes a script sandbox), several
// times the iteration itself. So a user has one run for the whole test, made before it starts,
// and what the run would pile up per request is thrown away.

import { failedKind, unansweredKind } from './errors.mjs';
import { latencyMs, newman, ownConnection } from './newman.mjs';

export class User {
  #index;
  #settings;
  #loop;
  #report;
  #agents = ownConnection();
  #run;
  #sample;
  #underWay; // the item whose request has no answer yet
  #waitMs = 0;
  #startedAt = 0;
  #timer;
  #halted = false;
  #resumeWhenHalted = false;
  dueMs = 0;
  iterations = 0;
  busy = false;
  sentAny = false; // of the iteration that it is busy with
  ended;

  /**
   * @param index number of the user, from 0
   * @param settings collection, environment, requestTimeoutMs, clock
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
          this.#agents.http.destroy();
          this.#agents.https.destroy();
          if (!error) return end();
          reject(error);
          return fail(error);
        });
        events.on('start', (_error, { run }) => {
          this.#run = run;
          this.#halt(resolve);
        });
        this.#listen(events);
      });
      this.ended.catch(() => {}); // whoever waits for it sees the error
    });
  }

  #options() {
    const { collection, environment, requestTimeoutMs } = this.#settings;
    return {
      collection,
      environment,
      iterationCount: Number.MAX_SAFE_INTEGER,
      timeoutRequest: requestTimeoutMs,
      requestAgents: this.#agents,
      verbose: true, // fine timings
      reporters: [],
    };
  }

  /** Goes on with the iteration that was due at a moment, now or in the past. */
  begin(dueMs) {
    this.#startIteration(dueMs);
    if (this.#halted) this.#resume();
    else this.#resumeWhenHalted = true;
  }

  /** Ends the run after the request that is under way, if one is. */
  stop() {
    clearTimeout(this.#timer);
    this.#run.abort();
  }

  #startIteration(dueMs) {
    this.busy = true;
    this.sentAny = false;
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
    events.on('beforeRequest', (_error, { item }) => {
      this.sentAny = true;
      this.#underWay = item;
      this.#startedAt = this.#settings.clock.now();
    });
    events.on('request', (error, outcome) => {
      this.#underWay = undefined;
      this.#sample = this.#sampleOf(error, outcome);
    });
    events.on('assertion', (error) => {
      if (error && this.#sample && !this.#sample.error) {
        this.#sample.error = failedKind(this.#sample.status);
      }
    });
    events.on('script', (error) => {
      if (error && this.#sample && !this.#sample.error) this.#sample.error = 'script';
    });
    events.on('item', () => {
      this.#reportSample();
      forget(events.summary.run);
    });
    events.on('iteration', () => this.#afterIteration());
  }

  #sampleOf(error, outcome) {
    if (error) return this.#unanswered(outcome.item, unansweredKind(error));
    return this.#sampleFor(outcome.item, latencyMs(outcome), outcome.response.code, '');
  }

  #unanswered(item, kind) {
    return this.#sampleFor(item, this.#settings.clock.now() - this.#startedAt, 0, kind);
  }

  #sampleFor(item, elapsedMs, status, error) {
    // only an iteration's first request waited for its user
    const waitMs = this.#waitMs;
    this.#waitMs = 0;
    return {
      start_ms: round(this.#startedAt),
      latency_ms: round(elapsedMs),
      wait_ms: round(waitMs),
      user: this.#index,
      iteration: this.iterations,
      request: item.name,
      status,
      error,
    };
  }

  /** Counts a request that had no answer yet, or an unread one, when the test was cut off. */
  #reportCutOff() {
    if (this.#underWay) this.#sample = this.#unanswered(this.#underWay, 'cut_off');
    this.#underWay = undefined;
    this.#reportSample();
  }

  #reportSample() {
    if (this.#sample) this.#report(this.#sample);
    this.#sample = undefined;
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
