// What may leave this process where the API is somebody else's, and where to.
//
// A collection is made of data and scripts that may come from a pull request, and an API answers
// as it likes: the address may be a variable, the method a script's, the next hop a redirect's.
// So nothing is believed that was checked before. Each request is looked at when it is handed to
// a connection, and each connection when it is made: its host and port must be among those that
// are allowed, and every address that the host's name has just then must be public. What was
// resolved is what is connected to, so that a name that has another address a moment later gains
// nothing.
//
// harness/lambda_dyno/load/driver.py says what is allowed (`Allowed`), core/addresses.py what is
// public. Without rules nothing is changed.

import { lookup } from 'node:dns';
import { Agent } from 'node:http';
import { BlockList, isIP, Socket } from 'node:net';

const READING = ['GET', 'HEAD'];
// Some frameworks take the method from here: then it is no reading.
const OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override'];
const CODE = 'ERR_NOT_ALLOWED';
const USED_UP = 'max_requests are used up';
const HERE = '127.0.0.1';
const OWN_REQUESTS = 80; // of a load test: until the API is ready, and alone

let rules; // of the job that is under way; none: everything is allowed
let blocked; // by version: one list would take IPv4 for the IPv6 that it is mapped to
let counts;
const askers = new WeakMap(); // by agent: tells the name of the item that asks
const localPorts = new Set(); // of servers of this process

/** Sets what the next job may send; nothing lifts it. */
export function allowOnly(allowed) {
  rules = allowed ?? undefined;
  counts = { sent: 0, refused: 0, first: '' };
  if (!rules) return;
  rules = { ...rules, places: new Set(rules.places), safe: new Set(rules.safe) };
  rules.ownUrl = rules.own ? new URL(rules.own) : undefined;
  blocked = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const network of allowed.blocked) {
    const [address, prefix] = network.split('/');
    const version = versionOf(address);
    blocked[version].addSubnet(address, Number(prefix), version);
  }
}

/**
 * What the job has to tell: how many requests were sent and refused, and why the first one was.
 *
 * @param others the same of its other processes
 */
export function told(others = []) {
  if (!rules) return {};
  const all = [counts, ...others.filter(Boolean)];
  const sum = (name) => all.reduce((total, one) => total + one[name], 0);
  const first = all.map((one) => one.first).find(Boolean) ?? '';
  return { allowed: { sent: sum('sent'), refused: sum('refused'), first } };
}

/** The rules of a process that sends a part (0 to 1) of what this one does not need itself. */
export function partOf(allowed, part) {
  if (!allowed) return undefined;
  return { ...allowed, requests: Math.max(0, Math.floor((allowed.requests - OWN_REQUESTS) * part)) };
}

/** Whether a request was not sent since no more may be: nothing that follows will be, either. */
export const isTheEnd = (error) => error?.code === CODE && error.message.endsWith(USED_UP);

/** The name of what asks a token server: such a request is a POST, and writes nothing. */
export const TOKEN_REQUEST = Symbol('token request');

/** Lets an agent's requests be told apart by the name of the item that sends them. */
export function asks(agent, itemName) {
  askers.set(agent, itemName);
}

/** Lets requests reach a server of this process, until what is returned is called. */
export function allowHere(port) {
  localPorts.add(port);
  return () => localPorts.delete(port);
}

const addRequest = Agent.prototype.addRequest;
Agent.prototype.addRequest = function addAllowed(request, options, ...others) {
  const why = rules && whyNotSent(this, request, options);
  if (!why) return addRequest.call(this, request, options, ...others);
  // without a connection it would end without a word
  process.nextTick(() => {
    request.emit('error', refused(why));
    request.destroy();
  });
  return undefined;
};

const connect = Socket.prototype.connect;
Socket.prototype.connect = function connectAllowed(...given) {
  if (!rules) return connect.apply(this, given);
  // Node.js itself hands on a list of what it was given, in order
  const list = Array.isArray(given[0]) ? given[0] : given;
  const options = typeof list[0] === 'object' ? list[0] : { port: list[0], host: list[1] };
  const host = options.host ?? 'localhost';
  const why = options.path ? 'no sockets of this machine' : whyNotConnected(host, options.port);
  if (why) {
    process.nextTick(() => this.destroy(refused(why)));
    return this;
  }
  if (!isOwn(host, options.port) && !isHere(host, options.port)) {
    list[0] = { ...options, lookup: lookupPublic };
  }
  return connect.apply(this, given);
};

function whyNotSent(agent, request, options) {
  const host = String(options?.host ?? options?.hostname ?? '').toLowerCase();
  const port = Number(options?.port ?? agent.defaultPort);
  if (isHere(host, port)) return '';
  const why = whyNotConnected(host, port) || whyNotThere(request, options, host, port);
  if (why) return why;
  const item = askers.get(agent)?.();
  if (item !== TOKEN_REQUEST && !isReading(request) && !rules.safe.has(item)) {
    return `${request.method} writes, and \`${item ?? ''}\` is not among the safe ones`;
  }
  if (counts.sent >= rules.requests) return USED_UP;
  counts.sent += 1;
  return '';
}

/** Of hosts with several APIs, and of schemes: only a request tells what it is for. */
function whyNotThere(request, options, host, port) {
  const scheme = request.protocol ?? options.protocol;
  // API Gateway, as a proxy, goes by the name in the header, whoever the connection leads to
  const named = String(request.getHeader('host') ?? host).toLowerCase();
  if (![host, `${host}:${port}`].includes(named.replaceAll(/[[\]]/g, ''))) {
    return `it names ${named} in its header Host`;
  }
  if (!String(request.path).startsWith('/')) return 'its path is none';
  if (!isOwn(host, port)) {
    return scheme === 'https:' ? '' : `${scheme}//${host}:${port} is not asked by https`;
  }
  const { protocol, pathname } = rules.ownUrl;
  const prefix = pathname.replace(/\/$/, '');
  const [path] = String(request.path).split(/[?#]/);
  const written = path.replaceAll(/%2e/gi, '.').replaceAll(/%2f|%5c|\\/gi, '/');
  const isBelow = path === prefix || path.startsWith(`${prefix}/`);
  if (scheme === protocol && isBelow && !/(^|\/)\.\.?(\/|$)/.test(written)) return '';
  return `${scheme}//${host}:${port}${path} is not of the API`;
}

function whyNotConnected(host, port) {
  if (isOwn(host, port) || isHere(host, port)) return '';
  const place = `${String(host).toLowerCase()}:${port}`;
  return rules.places.has(place) && !isIP(host) ? '' : `${place} is not among the allowed hosts`;
}

function isOwn(host, port) {
  const own = rules.ownUrl;
  if (!own) return false;
  const ownPort = own.port || (own.protocol === 'https:' ? 443 : 80);
  return host === own.hostname.replaceAll(/[[\]]/g, '') && Number(port) === Number(ownPort);
}

function isHere(host, port) {
  return host === HERE && localPorts.has(Number(port));
}

function isReading(request) {
  if (!READING.includes(request.method)) return false;
  return OVERRIDES.every((name) => {
    const method = request.getHeader(name);
    return method === undefined || READING.includes(String(method).toUpperCase());
  });
}

/** As `dns.lookup`, but that it fails where one of the addresses is not public. */
function lookupPublic(host, options, callback) {
  lookup(host, options, (error, found, family) => {
    if (error) return callback(error);
    const all = Array.isArray(found) ? found : [{ address: found, family }];
    const wrong = all.find(({ address }) => !isPublic(address));
    if (wrong) return callback(refused(`${host} is ${wrong.address}, which is not public`));
    return callback(null, found, family);
  });
}

function isPublic(address) {
  const [plain] = address.split('%');
  return isIP(plain) !== 0 && !blocked[versionOf(plain)].check(plain, versionOf(plain));
}

const versionOf = (address) => (address.includes(':') ? 'ipv6' : 'ipv4');

function refused(why) {
  counts.refused += 1;
  counts.first ||= why;
  return Object.assign(new Error(`not sent: ${why}`), { code: CODE });
}
