// Whether an API is there for all who ask: one that was just deployed reaches the hosts of
// API Gateway one after the other, so that after a first good answer others may still be bad.
//
// What is asked is the collection's first request to the API that only reads and needs nothing of
// those before it; if there is none, the first one to the API. Other hosts are not waited for.

import { performance } from 'node:perf_hooks';

import { Answer } from './answer.mjs';
import { ownConnection } from './connection.mjs';
import { emit } from './events.mjs';
import { isOfScript, latencyMs, nameOf, newman, offsetOf, runOptions } from './newman.mjs';
import { refresher } from './renewed.mjs';

const GOOD_IN_A_ROW = 5;
const PAUSE_MS = 1000;
const LONGEST_ANSWER = 200;
const PROBES = 15;
const PROBE_MS = 1500; // fewer will do where each takes long

export class Readiness {
  #config;
  #inputs;
  #began = performance.now();
  #roundTrips = [];
  #run;
  #wake = () => {};
  #stopped = false;
  #asserted = false; // whether what is asked has assertions
  #answered = false; // the last time
  requests = 0;
  item; // the name of what is asked

  /**
   * @param config as the driver gets it; ready_timeout_ms 0 asks nothing
   * @param inputs of `loadInputs`, of each scenario: the first that asks the API is asked
   */
  constructor(config, inputs) {
    this.#config = config;
    this.#inputs = inputs;
  }

  /** Whether nothing but a status speaks against the API, and the collection does not mind it. */
  get isForTheCollectionToSay() {
    return this.#answered && !this.#asserted;
  }

  /**
   * Asks until there are some good answers in a row, each over a connection of its own.
   * Returns nothing when the API is ready or this was stopped, else what was seen last.
   */
  async wait() {
    const { ready_timeout_ms: limitMs } = this.#config;
    const inputs = limitMs ? this.#probe() : undefined;
    if (!inputs) return undefined;
    for (;;) {
      const last = await this.#someInARow(inputs);
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

  /**
   * Asks the same alone, one after the other, over one connection: what the API takes where
   * nobody else asks. Nothing if there is nothing to ask, or it is not answered well.
   */
  async probe() {
    const inputs = this.#config.ready_timeout_ms ? this.#probe() : undefined;
    if (!inputs || this.#stopped) return undefined;
    const { request_timeout_ms: requestTimeoutMs } = this.#config;
    const itemName = () => this.item;
    const connection = ownConnection({ limitMs: requestTimeoutMs, itemName });
    const latencies = [];
    const refresh = refresher();
    const until = performance.now() + PROBE_MS;
    let bad = false;
    await new Promise((resolve) => {
      const iterationCount = PROBES + 1;
      const options = runOptions(inputs, { requestTimeoutMs, connection, iterationCount });
      const events = newman.run(options, resolve);
      events.on('start', (_error, { run }) => {
        this.#run = run;
      });
      events.on('beforeItem', () => refresh(this.#run));
      events.on('request', (error, outcome) => {
        if (isOfScript(outcome)) return;
        bad ||= Boolean(error) || outcome.response.code >= 500;
        if (!error) latencies.push(latencyMs(outcome));
        if (bad || performance.now() > until || this.#stopped) this.#run.abort();
      });
    });
    connection.close();
    const [, ...kept] = latencies; // the first one made the connection
    if (bad || !kept.length) return undefined;
    kept.sort((one, other) => one - other);
    return { request: this.item, count: kept.length, p50_ms: kept[Math.floor(kept.length / 2)] };
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

  /** The inputs with nothing but what is asked; nothing if no request is for the API. */
  #probe() {
    for (const inputs of this.#inputs) {
      const { collection, environment, globals } = inputs;
      const variables = [environment.values, globals.values, collection.variable ?? []].flat();
      const found = firstToAsk(inputs, new Set(variables.map(({ key }) => key)));
      if (!found) continue;
      const { item, inFolders } = found;
      this.item = nameOf({ item, request: item.request });
      return { ...inputs, collection: { ...collection, item: [inFolders(item)] } };
    }
    return undefined;
  }

  /** Returns nothing if all answers are good, else what the first bad one was. */
  #someInARow(inputs) {
    const requestTimeoutMs = Math.min(
      this.#config.request_timeout_ms,
      Math.max(PAUSE_MS, this.#config.ready_timeout_ms - this.#elapsedMs()),
    );
    const itemName = () => this.item;
    const connection = ownConnection({ limitMs: requestTimeoutMs, keepAlive: false, itemName });
    const refresh = refresher();
    let bad;
    let words;
    let good = 0;
    let answer;
    const judge = (text) => {
      bad ??= text;
      this.#run?.abort();
    };
    return new Promise((resolve, reject) => {
      const iterationCount = GOOD_IN_A_ROW;
      const events = newman.run(
        runOptions(inputs, { requestTimeoutMs, connection, iterationCount }),
        (error) => {
          connection.close();
          if (error) reject(error);
          else resolve(bad);
        },
      );
      events.on('start', (_error, { run }) => {
        this.#run = run;
        if (this.#stopped) run.abort();
      });
      events.on('beforeItem', (_error, { item }) => {
        answer = new Answer(item);
        refresh(this.#run);
      });
      events.on('request', (error, outcome) => {
        this.requests += 1;
        if (isOfScript(outcome)) return undefined;
        answer.arrived(outcome.response?.code ?? 0);
        this.#answered = !error;
        if (error) return judge(`no answer: ${error.message}`);
        this.#keepRoundTrip(outcome);
        words = wordsOf(outcome.response);
        return undefined;
      });
      events.on('beforeScript', (_error, { event }) => answer.scriptBegan(event.listen));
      events.on('assertion', (error, outcome) => {
        this.#asserted = true;
        answer.asserted(outcome, !error);
      });
      events.on('item', () => {
        // Some collections begin with a question whose right answer is a refusal: if their own
        // assertions want one, it is the API that refuses.
        if (isOfAYoungApi(answer.status) && !answer.isWanted) judge(words);
        good += 1;
        if (good === GOOD_IN_A_ROW) this.#run.abort(); // one may ask itself again and again
      });
    });
  }

  #keepRoundTrip(outcome) {
    const offset = offsetOf(outcome);
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
function firstToAsk({ collection, addressNames }, known) {
  const items = leaves(collection.item ?? [])
    .map((leaf) => ({ ...leaf, names: variablesOf(leaf.item.request.url) }))
    .filter(({ names }) => names.some((name) => addressNames.includes(name)));
  const reading = items.find(({ item: { request }, names }) => {
    const isKnown = (name) => known.has(name) || name.startsWith('$');
    return (request.method ?? 'GET') === 'GET' && names.every(isKnown);
  });
  return reading ?? items[0];
}

function variablesOf(url) {
  return [...JSON.stringify(url ?? '').matchAll(/{{([^}]+)}}/g)].map((match) => match[1]);
}

function leaves(items, inFolders = (item) => item) {
  return items.flatMap((item) => {
    if (!item.item) return item.request ? [{ item, inFolders }] : [];
    return leaves(item.item, (child) => inFolders({ ...item, item: [child] }));
  });
}
