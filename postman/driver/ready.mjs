// Whether an API is there for all who ask: one that was just deployed reaches the hosts of
// API Gateway one after the other, so that after a first good answer others may still be bad.
//
// What is asked is the collection's first request that only reads and needs nothing of those
// before it; if there is none, its first one.

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { performance } from 'node:perf_hooks';

import { emit } from './events.mjs';
import { environmentOf, newman, readCollection } from './newman.mjs';

const GOOD_IN_A_ROW = 5;
const PAUSE_MS = 1000;
const LONGEST_ANSWER = 200;

export class Readiness {
  #config;
  #variables;
  #began = performance.now();
  #roundTrips = [];
  #run;
  #wake = () => {};
  #stopped = false;
  requests = 0;
  item; // the name of what is asked

  /** @param config as the driver gets it; ready_timeout_ms 0 asks nothing */
  constructor(config) {
    this.#config = config;
    this.#variables = environmentOf(config);
  }

  /**
   * Asks until there are some good answers in a row, each over a connection of its own.
   * Returns nothing when the API is ready or this was stopped, else what was seen last.
   */
  async wait() {
    const { ready_timeout_ms: limitMs } = this.#config;
    if (!limitMs) return undefined;
    const collection = this.#collection();
    for (;;) {
      const last = await this.#someInARow(collection);
      if (last === undefined || this.#stopped) return undefined;
      const elapsed_s = this.#elapsedMs() / 1000;
      const seen = { timeout_s: limitMs / 1000, elapsed_s, request: this.item, last };
      if (this.#elapsedMs() + PAUSE_MS > limitMs) return seen;
      emit({ event: 'waiting', ...seen });
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, PAUSE_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Milliseconds there and back: the shortest of the connections' beginnings. */
  get roundTripMs() {
    return this.#roundTrips.length ? Math.min(...this.#roundTrips) : 0;
  }

  /** Ends the waiting: nobody wants to know any more. */
  stop() {
    this.#stopped = true;
    this.#run?.abort();
    this.#wake();
  }

  #elapsedMs() {
    return performance.now() - this.#began;
  }

  #collection() {
    const collection = readCollection(this.#config);
    const known = [...this.#variables.values, ...(collection.variable ?? [])].map(({ key }) => key);
    const { item, inFolders } = firstToAsk(collection, new Set(known));
    this.item = item.name;
    return { ...collection, item: [inFolders(item)] };
  }

  /** Returns nothing if all answers are good, else what the first bad one was. */
  #someInARow(collection) {
    const agents = { http: new HttpAgent(), https: new HttpsAgent() }; // keep no connection
    let bad;
    let answer;
    let status;
    let held; // the request's own assertions, if it has any
    const judge = (text) => {
      bad ??= text;
      this.#run?.abort();
    };
    return new Promise((resolve, reject) => {
      const events = newman.run(
        {
          collection,
          environment: this.#variables,
          iterationCount: GOOD_IN_A_ROW,
          timeoutRequest: Math.min(
            this.#config.request_timeout_ms,
            Math.max(PAUSE_MS, this.#config.ready_timeout_ms - this.#elapsedMs()),
          ),
          requestAgents: agents,
          verbose: true, // fine timings
          reporters: [],
        },
        (error) => (error ? reject(error) : resolve(bad)),
      );
      events.on('start', (_error, { run }) => {
        this.#run = run;
        if (this.#stopped) run.abort();
      });
      events.on('request', (error, outcome) => {
        this.requests += 1;
        held = undefined;
        status = outcome.response?.code ?? 0;
        if (error) return judge(`no answer: ${error.message}`);
        this.#keepRoundTrip(outcome);
        answer = wordsOf(outcome.response);
        return undefined;
      });
      events.on('assertion', (error, { skipped }) => {
        if (!skipped) held = (held ?? true) && !error;
      });
      events.on('item', () => {
        // Some collections begin with a question whose right answer is a refusal: if their own
        // assertions hold, it is the API that refuses.
        if (isOfAYoungApi(status) && !held) judge(answer);
      });
    });
  }

  #keepRoundTrip(outcome) {
    const offset = outcome.history?.execution?.data?.at(-1)?.timings?.offset;
    if (offset?.connect > 0) this.#roundTrips.push(offset.connect - (offset.lookup ?? 0));
  }
}

/** Refused as "Missing Authentication Token" or "Forbidden", not found, throttled, broken. */
function isOfAYoungApi(status) {
  return status === 403 || status === 404 || status === 429 || status >= 500;
}

function wordsOf(response) {
  const text = response.text().replaceAll(/\s+/g, ' ').trim().slice(0, LONGEST_ANSWER);
  return `${response.code} ${text || response.reason()}`.trim();
}

/** The item to ask, and what puts it into its folders: they may have its auth and its scripts. */
function firstToAsk(collection, known) {
  const items = leaves(collection.item ?? []);
  const reading = items.find(({ item: { request } }) => {
    const { method = 'GET', url } = typeof request === 'string' ? { url: request } : request;
    const names = [...JSON.stringify(url ?? '').matchAll(/{{([^}]+)}}/g)].map((match) => match[1]);
    return method === 'GET' && names.every((name) => known.has(name) || name.startsWith('$'));
  });
  const found = reading ?? items[0];
  if (!found) throw new Error('the collection has no request');
  return found;
}

function leaves(items, inFolders = (item) => item) {
  return items.flatMap((item) => {
    if (!item.item) return item.request ? [{ item, inFolders }] : [];
    return leaves(item.item, (child) => inFolders({ ...item, item: [child] }));
  });
}
