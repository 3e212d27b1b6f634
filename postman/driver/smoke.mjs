// One pass over a collection: which assertions hold, and which do not.

import { emit } from './events.mjs';
import { environmentOf, latencyMs, newman, ownConnection, readCollection } from './newman.mjs';
import { Readiness } from './ready.mjs';

const LONGEST_MESSAGE = 600;

export async function main(config) {
  const readiness = new Readiness(config);
  const not_ready = await readiness.wait();
  if (not_ready) {
    emit({ event: 'done', requests: readiness.requests, assertions: 0, failures: [], not_ready });
    return 0;
  }
  return ask(config);
}

function ask(config) {
  const found = { requests: 0, assertions: 0, failures: [] };
  const fail = (request, assertion, message) =>
    found.failures.push({ request, assertion, message: String(message).slice(0, LONGEST_MESSAGE) });
  const agents = ownConnection();
  let run;

  return new Promise((resolve) => {
    const events = newman.run(
      {
        collection: readCollection(config),
        environment: environmentOf(config),
        timeoutRequest: config.request_timeout_ms,
        requestAgents: agents,
        verbose: true,
        reporters: [],
      },
      (error) => {
        agents.http.destroy();
        agents.https.destroy();
        if (error) throw error;
        emit({ event: 'done', ...found });
        resolve(0);
      },
    );
    events.on('start', (_error, start) => {
      run = start.run;
    });
    events.on('request', (error, outcome) => {
      found.requests += 1;
      const name = outcome.item.name;
      if (error) {
        fail(name, 'an answer arrives', error.message);
        run.abort(); // nobody is there: the rest would only wait for the same
        return;
      }
      const { code } = outcome.response;
      emit({ event: 'request', request: name, status: code, latency_ms: latencyMs(outcome) });
    });
    events.on('assertion', (error, outcome) => {
      if (outcome.skipped) return;
      found.assertions += 1;
      if (error) fail(outcome.item.name, outcome.assertion, error.message);
    });
    events.on('script', (error, outcome) => {
      if (error) fail(outcome.item.name, 'its script runs to the end', error.message);
    });
  });
}
