// What every run of Newman shares: the collection and its files, variables, auth, bounds.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, resolve } from 'node:path';

import { renewedValues } from './renewed.mjs';
import { keepSecret } from './secrets.mjs';

const require = createRequire(import.meta.url);
export const newman = require('newman');
// Newman's own loader: a byte order mark, UTF-16, {"collection": ...}, v1, CSV, as on its command line.
const loadOptions = require('newman/lib/run/options');

/** Longest time that a script may take, what it waits for included. It may stop its process. */
const SCRIPT_TIMEOUT_MS = 60_000;

const CREDENTIALS = {
  accessKey: 'AWS_ACCESS_KEY_ID',
  // pragma: allowlist nextline secret: a variable's name
  secretKey: 'AWS_SECRET_ACCESS_KEY',
  sessionToken: 'AWS_SESSION_TOKEN',
};
const ADDRESS_NAMES = ['baseurl', 'apiurl']; // the second if nothing is called like the first
const ADDRESS_NAME = /\b(?:base|api)[ _.-]?url\b/gi;
const VARIABLE = /{{([^{}]+)}}/g;
// Of a collection's own auth: the grants that need no person, by Postman's names.
const PASSWORD = 'password'; // pragma: allowlist secret: a grant's name
const GRANTS = { client_credentials: 'client_credentials', password_credentials: PASSWORD };
const OF_FUNCTION_URL = /^https?:\/\/[^/]+\.lambda-url\.|\/_aws\/lambda-url\//;

/**
 * What runs share: `collection`, `environment`, `globals` and `iterationData` as Newman takes
 * them, `addressNames`, the variables that hold the API's address, `tokens`, what the collection
 * itself says of tokens that it needs and has not, and `secretValues`, which nothing may show.
 *
 * The address takes the place of whatever the files say; region and keys only where the harness
 * signs, or nobody else gives them. Keys only live in this process's memory.
 */
export async function loadInputs(config) {
  const { collection, environment, globals, iterationData } = await load({
    collection: config.collection,
    environment: config.environment ?? {},
    globals: config.globals ?? {},
    ...(config.data ? { iterationData: config.data } : {}),
  });
  const scopes = [environment.values, globals.values, collection.variables];
  const addressNames = addressNamesOf(config, collection, scopes);
  for (const name of addressNames) {
    for (const scope of scopes) scope.one(name)?.update({ value: config.variables.baseUrl });
    environment.values.upsert({ key: name, value: config.variables.baseUrl });
  }
  const secrets = { ...config.secret_values };
  for (const [name, value] of Object.entries(secrets)) environment.set(name, value);
  for (const [name, value] of Object.entries(signingValues(config))) {
    if (config.signed || !scopes.some((scope) => scope.has(name))) environment.set(name, value);
  }
  const tokens = ownTokens(collection, scopes);
  for (const name of [...Object.keys(tokens), ...Object.keys(config.oauth2 ?? {})]) environment.set(name, '');
  for (const [name, value] of Object.entries(renewedValues())) environment.set(name, value);
  if (!config.signed) removeEmptySignatures(collection, scopes);
  findFilesBeside(collection, dirname(config.collection));
  const whole = collection.toJSON();
  return {
    addressNames,
    tokens,
    secretValues: Object.values(secrets),
    collection: config.folder ? { ...whole, item: onlyFolder(whole.item, config.folder) } : whole,
    environment: environment.toJSON(),
    globals: globals.toJSON(),
    iterationData,
  };
}

/** The same for another address of the API. */
export function withAddress(inputs, baseUrl) {
  const names = new Set(inputs.addressNames);
  const moved = (variables = []) =>
    variables.map((variable) =>
      names.has(variable.key) ? { ...variable, value: baseUrl } : variable,
    );
  return {
    ...inputs,
    collection: { ...inputs.collection, variable: moved(inputs.collection.variable) },
    environment: { ...inputs.environment, values: moved(inputs.environment.values) },
    globals: { ...inputs.globals, values: moved(inputs.globals.values) },
  };
}

/**
 * Options of newman.run: everything that could go on for ever has its bound.
 *
 * @param inputs of `loadInputs`
 * @param limits requestTimeoutMs; longestMs of a script, if the run is shorter than that; the
 *   connection; and further options of Newman's
 */
export function runOptions(inputs, { requestTimeoutMs, longestMs = Infinity, connection, ...others }) {
  const { collection, environment, globals, iterationData } = inputs;
  return {
    collection,
    environment,
    globals,
    ...(iterationData ? { iterationData } : {}),
    timeoutRequest: requestTimeoutMs,
    timeoutScript: Math.min(SCRIPT_TIMEOUT_MS, longestMs),
    requestAgents: connection,
    verbose: true, // fine timings
    reporters: [],
    ...others,
  };
}

/** Whether an event is of a request that a script sends (pm.sendRequest): no item asked for it. */
export function isOfScript({ cursor }) {
  return Boolean(cursor?.scriptId);
}

/** What to call an item: not all have a name, and what a script sends is none. */
export function nameOf({ item, request }) {
  if (item?.name) return String(item.name);
  const asked = request ?? item?.request;
  return asked ? `${asked.method ?? 'GET'} ${asked.url?.getPath?.() ?? ''}`.trim() : 'a request';
}

/**
 * Milliseconds from handing a request to Node.js to the last byte of its answer: what Newman
 * rounds up to responseTime. Includes waiting for a connection. Needs `verbose: true`.
 */
export function latencyMs(outcome) {
  const offset = offsetOf(outcome);
  return offset?.end === undefined ? outcome.response.responseTime : offset.end - offset.request;
}

/** When what began of a request, in ms; nothing if it was not sent. Needs `verbose: true`. */
export function offsetOf(outcome) {
  return outcome.history?.execution?.data?.at(-1)?.timings?.offset;
}

function load(options) {
  return new Promise((done, fail) => {
    loadOptions(options, (error, loaded) => (error ? fail(error) : done(loaded)));
  });
}

/** The variables that hold the API's address: the one of the settings, or those of a usual name. */
function addressNamesOf(config, collection, scopes) {
  if (config.api_variable) return [config.api_variable];
  const used = JSON.stringify(collection.toJSON()).match(ADDRESS_NAME) ?? [];
  const declared = scopes.flatMap((scope) => scope.map((variable) => String(variable.key)));
  for (const usual of ADDRESS_NAMES) {
    const found = [...used, ...declared].filter(
      (name) => name.toLowerCase().replaceAll(/[ _.-]/g, '') === usual,
    );
    if (found.length) return [...new Set(['baseUrl', ...found])];
  }
  return ['baseUrl'];
}

function signingValues(config) {
  const keys = Object.entries(CREDENTIALS).map(([name, variable]) => [
    name,
    config.signed ? (process.env[variable] ?? '') : '',
  ]);
  const { accessKey: _, ...secrets } = Object.fromEntries(keys); // its id is in every request's log
  keepSecret(secrets);
  const { baseUrl, region } = config.variables;
  const service = OF_FUNCTION_URL.test(baseUrl) ? 'lambda' : 'execute-api';
  return { region, service, ...Object.fromEntries(keys) };
}

/** Where nothing is signed, takes away signatures with no key: Postman would sign all the same. */
function removeEmptySignatures(collection, scopes) {
  for (const auth of authsOf(collection)) {
    if (auth.type !== 'awsv4') continue;
    if (!valueOf(auth.parameters().get('accessKey'), scopes).trim()) auth.use('noauth');
  }
}

/** All auths of a collection: its own, its folders' and its requests'. */
function authsOf(collection) {
  const holders = [collection];
  collection.forEachItemGroup((group) => holders.push(group));
  collection.forEachItem(({ request }) => holders.push(request));
  return holders.map((holder) => holder?.auth).filter(Boolean);
}

/** A text with the values that its variables have before the first request. */
function valueOf(text, scopes) {
  return String(text ?? '').replaceAll(VARIABLE, (_, name) => {
    const scope = scopes.find((one) => one.has(name));
    return scope?.get(name) ?? '';
  });
}

/**
 * Where a collection's auth names a token server, and has no token, a variable takes its place, as
 * Postman itself gets a token then; returns what each is got with. Newman would send none.
 */
function ownTokens(collection, scopes) {
  const tokens = {};
  for (const auth of authsOf(collection)) {
    if (auth.type !== 'oauth2') continue;
    const parameters = auth.parameters();
    const get = (name) => valueOf(parameters.get(name), scopes).trim();
    const grant = GRANTS[get('grant_type')];
    if (!grant || get('accessToken') || !get('accessTokenUrl')) continue;
    const how = {
      token_url: get('accessTokenUrl'),
      grant,
      client_id: get('clientId'),
      client_secret: get('clientSecret'),
      username: get('username'),
      password: get('password'),
      scope: get('scope'),
      audience: get('audience'),
      client_authentication: get('client_authentication') === 'body' ? 'body' : 'header',
    };
    const key = JSON.stringify(how);
    const known = Object.entries(tokens).find(([, other]) => JSON.stringify(other) === key);
    const name = known?.[0] ?? tokenName(key);
    tokens[name] = how;
    parameters.upsert({ key: 'accessToken', value: `{{${name}}}`, type: 'any' });
  }
  return tokens;
}

/** By what it is got with, so that all processes call it the same, and two scenarios share it. */
function tokenName(key) {
  return `dyno_token_${createHash('sha256').update(key).digest('hex').slice(0, 12)}`;
}

/** The first folder, or request, of a name in the order of the collection, in what it is in. */
function onlyFolder(items = [], name) {
  for (const item of items) {
    if (item.name === name || item.id === name) return [item];
    const below = item.item ? onlyFolder(item.item, name) : [];
    if (below.length) return [{ ...item, item: below }];
  }
  return [];
}

/** A file that a request sends is looked for here, as Newman does, and then beside the collection. */
function findFilesBeside(collection, folder) {
  const found = (path) => {
    if (typeof path !== 'string' || isAbsolute(path) || existsSync(path)) return path;
    const beside = resolve(folder, path);
    return existsSync(beside) ? beside : path;
  };
  collection.forEachItem(({ request }) => {
    const body = request?.body;
    const sources = [body?.file, ...(body?.formdata?.all() ?? [])].filter((one) => one?.src);
    for (const source of sources) {
      source.src = Array.isArray(source.src) ? source.src.map(found) : found(source.src);
    }
  });
}
