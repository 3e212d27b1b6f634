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
  #report;
  #agents = ownConnection();
  #run;
  #sample;
  #iterationStart = 0;
  #startedAt = 0;
  #timer;
  iterations = 0;
  ended;

  /**
   * @param index number of the user, from 0
   * @param settings collection, environment, pacingMs, requestTimeoutMs, offsetMs(): milliseconds
   *   since the test began, mayGoOn(): whether another iteration may begin
   * @param report called with each finished request
   */
  constructor(index, settings, report) {
    this.#index = index;
    this.#settings = settings;
    this.#report = report;
  }

  /** Makes the run and halts it before its first request. */
  prepare() {
    return new Promise((resolve, reject) => {
      this.ended = new Promise((end, fail) => {
        const events = newman.run(this.#options(), (error) => {
          this.#agents.http.destroy();
          this.#agents.https.destroy();
          if (!error) return end();
          reject(error);
          return fail(error);
        });
        events.on('start', (_error, { run }) => {
          this.#run = run;
          run.pause(resolve);
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

  begin() {
    this.#iterationStart = this.#settings.offsetMs();
    this.#run.resume();
  }

  /** Ends the run after the request that is under way, if one is. */
  stop() {
    clearTimeout(this.#timer);
    this.#run.abort();
  }

  #listen(events) {
    events.on('beforeRequest', () => {
      this.#startedAt = this.#settings.offsetMs();
    });
    events.on('request', (error, outcome) => {
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
      if (this.#sample) this.#report(this.#sample);
      this.#sample = undefined;
      forget(events.summary.run);
    });
    events.on('iteration', () => this.#afterIteration());
  }

  #sampleOf(error, outcome) {
    const elapsed = error ? this.#settings.offsetMs() - this.#startedAt : latencyMs(outcome);
    return {
      start_ms: round(this.#startedAt),
      latency_ms: round(elapsed),
      user: this.#index,
      iteration: this.iterations,
      request: outcome.item.name,
      status: error ? 0 : outcome.response.code,
      error: error ? unansweredKind(error) : '',
    };
  }

  #afterIteration() {
    this.iterations += 1;
    const now = this.#settings.offsetMs();
    const wait = this.#iterationStart + this.#settings.pacingMs - now;
    if (!this.#settings.mayGoOn(Math.max(wait, 0))) {
      this.#run.abort();
      return;
    }
    this.#iterationStart = now + Math.max(wait, 0);
    if (wait < 1) return;
    this.#run.pause();
    this.#timer = setTimeout(() => this.#goOn(), wait);
  }

  #goOn() {
    if (this.#settings.mayGoOn(0)) this.#run.resume();
    else this.#run.abort(); // the timer was late
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
