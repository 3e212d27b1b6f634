// What every run of Newman shares: the collection, its variables, how requests are signed.

import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createRequire } from 'node:module';

export const newman = createRequire(import.meta.url)('newman');

const CREDENTIALS = {
  accessKey: 'AWS_ACCESS_KEY_ID',
  // pragma: allowlist nextline secret: a variable's name
  secretKey: 'AWS_SECRET_ACCESS_KEY',
  sessionToken: 'AWS_SESSION_TOKEN',
};

/** Reads a collection. Unsigned, it loses its auth: Postman would sign with empty keys. */
export function readCollection(config) {
  const collection = JSON.parse(readFileSync(config.collection, 'utf8'));
  if (!config.signed) delete collection.auth;
  return collection;
}

/** The variables of a run; secrets only live in this process's memory. */
export function environmentOf(config) {
  const variables = { ...config.variables };
  for (const [name, variable] of Object.entries(CREDENTIALS)) {
    variables[name] = config.signed ? (process.env[variable] ?? '') : '';
  }
  return { values: Object.entries(variables).map(([key, value]) => ({ key, value, enabled: true })) };
}

/** One connection that is kept open, as one client has. */
export function ownConnection() {
  const options = { keepAlive: true, maxSockets: 1 };
  return { http: new HttpAgent(options), https: new HttpsAgent(options) };
}

/**
 * Milliseconds from handing a request to Node.js to the last byte of its answer: what Newman
 * rounds up to responseTime. Includes waiting for a connection. Needs `verbose: true`.
 */
export function latencyMs(outcome) {
  const offset = outcome.history?.execution?.data?.at(-1)?.timings?.offset;
  return offset?.end === undefined ? outcome.response.responseTime : offset.end - offset.request;
}
