// What one iteration of a collection really sends, and what came back: scripts, auth and variables
// are resolved. The second iteration tells what is made anew each time from what stays.
//
// The answers and the requests hold whatever the collection has, secrets too: they go to stdout,
// which harness/lambda_dyno/load/drivers/newman.py keeps out of its log, and nowhere else.

import { isTheEnd, told } from './allowed.mjs';
import { ownConnection } from './connection.mjs';
import { emit, emitInConfidence } from './events.mjs';
import { isOfScript, nameOf as requestName, newman, runOptions } from './newman.mjs';
import { Readiness } from './ready.mjs';
import { refresher, renewedValues } from './renewed.mjs';
import { loadScenarios, wantedTokens } from './scenarios.mjs';
import { Tokens } from './tokens.mjs';

const READING = ['GET', 'HEAD'];
const SECRET_KINDS = /pass|secret|token|key|value|credential|assertion/i;

export async function main(config) {
  const scenarios = await loadScenarios(config);
  const safe = config.safe && new Set(config.safe);
  const tokens = new Tokens(wantedTokens(config, scenarios));
  await tokens.begin();
  try {
    if (safe) scenarios.forEach((scenario) => keepSafe(scenario.inputs.collection, scenario, safe));
    else {
      // a first answer comes late, and who only reads need not ask five times
      const not_ready = await new Readiness(config, scenarios.map(({ inputs }) => inputs)).wait();
      if (not_ready) {
        emit({ event: 'done', not_ready, ...told() });
        return 0;
      }
    }
    const recorded = [];
    for (const scenario of scenarios) recorded.push(await recordAgain(config, scenario, safe));
    const secrets = recorded.flatMap((one) => one.secrets);
    emitInConfidence({
      event: 'done',
      scenarios: recorded.map(({ weight, iterations }) => ({ weight, iterations })),
      secrets: [...new Set([...secrets, ...Object.values(renewedValues())])],
      ...told(),
    });
    return 0;
  } finally {
    tokens.stop();
  }
}

/** Records a scenario as often as is asked for. */
async function recordAgain(config, scenario, safe) {
  const found = [];
  for (let pass = 0; pass < config.iterations; pass += 1) {
    found.push(await record(config, scenario, safe));
  }
  return {
    weight: scenario.weight,
    iterations: found.map(({ requests }) => requests),
    secrets: [...scenario.inputs.secretValues, ...found.flatMap(({ secrets }) => secrets)],
  };
}

/** Runs the collection once. A run of its own each time: both begin with the same values. */
async function record(config, { inputs, named }, safe) {
  const nameOf = (outcome) => named(requestName(outcome));
  const refresh = refresher();
  const itemName = () => item?.name;
  const connection = ownConnection({ limitMs: config.request_timeout_ms, itemName });
  const secrets = secretVariables(inputs);
  const requests = [];
  let item;
  let run;
  const agents = [connection.http, connection.https];
  const onTheWire = watch(agents);
  if (safe) agents.forEach((agent) => refuseWrites(agent, config, () => item, named, safe));
  const error = await new Promise((resolve) => {
    const { request_timeout_ms: requestTimeoutMs, limit_ms: longestMs } = config;
    const events = newman.run(runOptions(inputs, { requestTimeoutMs, longestMs, connection }), resolve);
    const timer = setTimeout(() => {
      run?.abort();
      resolve(new Error(`the collection still asks after ${longestMs / 1000} s`));
    }, longestMs);
    events.on('start', (_error, start) => {
      run = start.run;
    });
    events.on('beforeItem', (_error, outcome) => {
      item = outcome.item;
      refresh(run);
    });
    events.on('request', (problem, outcome) => {
      const { request, response } = outcome;
      if (isTheEnd(problem)) run.abort();
      secrets.push(...secretsOfAuth(request), ...secretsOfAuth(outcome.item?.request));
      if (!request) return;
      requests.push({
        name: isOfScript(outcome) ? `script of ${nameOf({ item })}` : nameOf(outcome),
        by_script: isOfScript(outcome),
        method: request.method,
        url: request.url.toString(),
        ...onTheWire(),
        status: problem ? 0 : response.code,
        answer: problem
          ? { headers: [], text: '' }
          : { headers: listOf(response.headers), text: response.text() },
      });
    });
    events.on('done', () => clearTimeout(timer));
  });
  connection.close();
  if (error && !requests.length) throw error;
  return { requests, secrets };
}

const listOf = (headers) => headers.all().filter((one) => !one.disabled).map(({ key, value }) => [String(key), String(value)]);

/** Returns what tells headers and body of the last request: Newman has what they are made of. */
function watch(agents) {
  let chunks = [];
  let headers = [];
  for (const agent of agents) {
    const addRequest = agent.addRequest.bind(agent);
    agent.addRequest = (request, ...others) => {
      chunks = [];
      headers = request.getRawHeaderNames().map((name) => [name, String(request.getHeader(name))]);
      for (const name of ['write', 'end']) {
        const send = request[name].bind(request);
        request[name] = (chunk, encoding, ...more) => {
          if (typeof chunk === 'string') chunks.push(Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8'));
          else if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
          return send(chunk, encoding, ...more);
        };
      }
      return addRequest(request, ...others);
    };
  }
  return () => ({ headers, body: Buffer.concat(chunks).toString('base64') });
}

/** What auth was made with: it may stand anywhere in a request, as an API key does. */
function secretsOfAuth(request) {
  const auth = request?.auth;
  if (!auth || auth.type === 'noauth') return [];
  return auth
    .parameters()
    .all()
    .filter(({ key }) => SECRET_KINDS.test(key))
    .map(({ value }) => String(value ?? ''))
    .filter((value) => value && !value.includes('{{'));
}

/** The values of variables that Postman marks as secret. */
function secretVariables({ environment, globals, collection }) {
  return [environment.values, globals.values, collection.variable ?? []]
    .flat()
    .filter(({ type, value }) => type === 'secret' && value)
    .map(({ value }) => String(value));
}

/** Leaves nothing in a collection but what only reads, or is named as safe. */
function keepSafe(group, scenario, safe) {
  group.item = (group.item ?? []).filter((item) => {
    if (item.item) {
      keepSafe(item, scenario, safe);
      return item.item.length > 0;
    }
    return READING.includes(item.request?.method ?? 'GET') || isSafe(item.name, scenario, safe);
  });
}

/** Whether a request is among the safe ones, by its own name or with its scenario's. */
function isSafe(name, { named }, safe) {
  return safe.has(name) || safe.has(named(name));
}

/** A script may send what it likes: to the API of others it may not write either. */
function refuseWrites(agent, { variables }, item, named, safe) {
  const { hostname } = new URL(variables.baseUrl);
  const addRequest = agent.addRequest.bind(agent);
  agent.addRequest = (request, options, ...others) => {
    const ofApi = (options?.hostname ?? options?.host ?? request.host) === hostname;
    if (!ofApi || READING.includes(request.method) || isSafe(item()?.name, { named }, safe)) {
      return addRequest(request, options, ...others);
    }
    // without a connection it would end without a word
    process.nextTick(() => {
      request.emit('error', new Error('it writes, and is not among the safe ones'));
      request.destroy();
    });
    return undefined;
  };
}
