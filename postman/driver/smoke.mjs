// One pass over a collection: which assertions hold, and which do not.
// Requests, assertions and failures are counted as Newman's command line counts them.

import { performance } from 'node:perf_hooks';

import { isTheEnd, told } from './allowed.mjs';
import { ownConnection } from './connection.mjs';
import { emit } from './events.mjs';
import { isOfScript, latencyMs, nameOf as requestName, newman, runOptions } from './newman.mjs';
import { Readiness } from './ready.mjs';
import { refresher } from './renewed.mjs';
import { loadScenarios, wantedTokens } from './scenarios.mjs';
import { Tokens } from './tokens.mjs';

const LONGEST_MESSAGE = 600;
const MOST_ASKED = 2000; // that are told one by one
const ABORT_MS = 2000;
const NAMES = {
  request: 'an answer arrives',
  script: 'its script runs to the end',
};

export async function main(config) {
  const scenarios = await loadScenarios(config);
  const tokens = new Tokens(wantedTokens(config, scenarios));
  await tokens.begin();
  try {
    const readiness = new Readiness(config, scenarios.map(({ inputs }) => inputs));
    const not_ready = await readiness.wait();
    if (not_ready && !readiness.isForTheCollectionToSay) {
      const { requests } = readiness;
      emit({ event: 'done', requests, assertions: 0, skipped: 0, failures: [], not_ready, ...told() });
      return 0;
    }
    emit({ event: 'done', ...(await askAll(config, scenarios)), ...told() });
    return 0;
  } finally {
    tokens.stop();
  }
}

/** Asks one scenario after the other; all together have as much time as one. */
async function askAll(config, scenarios) {
  const until = performance.now() + config.limit_ms;
  const all = { requests: 0, assertions: 0, skipped: 0, failures: [], asked: [] };
  for (const scenario of scenarios) {
    const limit_ms = Math.max(1, Math.floor(until - performance.now())); // scripts take whole ones
    const found = await ask({ ...config, limit_ms, whole_ms: config.limit_ms }, scenario);
    for (const name of ['requests', 'assertions', 'skipped']) all[name] += found[name];
    all.failures.push(...found.failures);
    all.asked.push(...found.asked.slice(0, MOST_ASKED - all.asked.length));
  }
  return all;
}

/** Asks everything of a scenario once, for as long as there is time. */
async function ask(config, { inputs, named }) {
  const nameOf = (outcome) => named(requestName(outcome));
  const refresh = refresher();
  const itemName = () => last.item?.name;
  const connection = ownConnection({ limitMs: config.request_timeout_ms, itemName });
  const failures = [];
  const fail = (outcome, kind, assertion, message) =>
    failures.push({
      request: nameOf(outcome),
      kind,
      assertion: String(assertion),
      message: String(message).slice(0, LONGEST_MESSAGE),
    });
  const asked = [];
  const tell = (outcome, facts) => {
    const name = nameOf(outcome);
    const request = isOfScript(outcome) ? `script of ${nameOf({ item: last.item })}` : name;
    const one = { request, method: '', status: 0, latency_ms: null, ...facts, assertions: [] };
    if (asked.length < MOST_ASKED) asked.push(one);
    return one;
  };
  let current; // of the item that is under way
  let skipped = 0;
  let last = {};
  let run;
  let events;
  const ended = new Promise((resolve) => {
    const { request_timeout_ms: requestTimeoutMs, limit_ms: longestMs } = config;
    events = newman.run(runOptions(inputs, { requestTimeoutMs, longestMs, connection }), resolve);
  });
  events.on('start', (_error, start) => {
    run = start.run;
  });
  events.on('beforeItem', (_error, outcome) => {
    last = outcome;
    current = undefined;
    refresh(run);
  });
  events.on('request', (error, outcome) => {
    const request = nameOf(outcome);
    const method = String(outcome.request?.method ?? '');
    const sent = error
      ? tell(outcome, { method })
      : tell(outcome, { method, status: outcome.response.code, latency_ms: latencyMs(outcome) });
    if (!isOfScript(outcome)) current = sent;
    if (isTheEnd(error)) run.abort();
    if (error) return fail(outcome, 'request', NAMES.request, error.message);
    const facts = { status: outcome.response.code, latency_ms: latencyMs(outcome) };
    return emit({ event: 'request', request, ...facts });
  });
  events.on('assertion', (error, outcome) => {
    if (outcome.skipped) skipped += 1;
    current ??= tell({ item: last.item });
    current.assertions.push({
      assertion: String(outcome.assertion),
      outcome: outcome.skipped ? 'skipped' : error ? 'failed' : 'held',
      message: error && !outcome.skipped ? String(error.message).slice(0, LONGEST_MESSAGE) : '',
    });
    if (error) fail(outcome, 'assertion', outcome.assertion, error.message);
  });
  events.on('script', (error, outcome) => {
    if (error) fail(outcome, 'script', NAMES.script, error.message);
  });

  const limit = bound(config, () => run?.abort());
  const error = await Promise.race([ended, limit.over]);
  limit.cancel();
  connection.close();
  const problem = limit.reached ?? error;
  if (problem) fail(last, 'run', 'the collection comes to its end', problem.message);
  const { requests, assertions } = events.summary?.run.stats ?? NOTHING;
  return { requests: requests.total, assertions: assertions.total, skipped, failures, asked };
}

const NOTHING = { requests: { total: 0 }, assertions: { total: 0 } };

/**
 * A collection may ask for ever (`setNextRequest`): after its time it is aborted, and a little
 * later it is `over`, whatever is under way: that may be a script that does not end.
 */
function bound({ limit_ms: limitMs, whole_ms: wholeMs }, abort) {
  const limit = {};
  let timer;
  limit.over = new Promise((resolve) => {
    timer = setTimeout(() => {
      limit.reached = new Error(`it still asks after ${wholeMs / 1000} s`);
      abort();
      timer = setTimeout(resolve, ABORT_MS);
    }, limitMs);
  });
  limit.cancel = () => clearTimeout(timer);
  return limit;
}
