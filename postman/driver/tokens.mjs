// Tokens of OAuth2 that need no person: got before the first request, and again before they end.
//
// Which ones: those of dyno.toml ([oauth2.NAME]), and those of a collection's own auth that names
// a token server and has no token. A server that gives out a new refresh token with each token
// takes the old one no more, so one process gets them for all.

import { createRequire } from 'node:module';

import { TOKEN_REQUEST } from './allowed.mjs';
import { ownConnection } from './connection.mjs';
import { renew } from './renewed.mjs';
import { keepSecret } from './secrets.mjs';

const require = createRequire(import.meta.url);

const REQUEST_MS = 10_000;
const LONGEST_ANSWER = 100_000;
const UNKNOWN_LIFETIME_S = 300; // of a token whose server does not say it
const EARLY_S = 60; // before a token's end; of a short one half of its life
const SOONEST_MS = 200;
const LATEST_MS = 2 ** 31 - 1; // of a timer
const RETRY_MS = 1000;
const TOKEN = /^[\x21-\x7e]{1,16000}$/;

const newestRefreshToken = new Map(); // by variable: for all jobs of this process

export class Tokens {
  #wanted;
  #timers = new Map();
  #stopped = false;

  /** @param wanted what each variable's token is got with: as [oauth2.NAME] of dyno.toml, resolved */
  constructor(wanted) {
    this.#wanted = Object.entries(wanted).map(([name, how]) => ({ name, ...how }));
    for (const { client_secret, password, refresh_token } of this.#wanted) {
      keepSecret({ client_secret, password, refresh_token });
    }
  }

  /** Gets all of them, and goes on renewing them; fails with a sentence if one is not to be had. */
  async begin() {
    await Promise.all(this.#wanted.map((one) => this.#get(one)));
  }

  stop() {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  async #get(one) {
    const refresh_token = newestRefreshToken.get(one.name) ?? one.refresh_token;
    const answer = await ask({ ...one, refresh_token });
    if (answer.refresh_token && one.grant === 'refresh_token') {
      newestRefreshToken.set(one.name, answer.refresh_token);
      keepSecret({ refresh_token: answer.refresh_token });
    }
    renew({ [one.name]: answer.access_token });
    const { lifetime_s: lifetimeS } = answer;
    const inMs = 1000 * Math.max(lifetimeS / 2, lifetimeS - EARLY_S);
    this.#later(one, Math.min(LATEST_MS, Math.max(SOONEST_MS, inMs)));
  }

  #later(one, ms) {
    if (this.#stopped) return;
    const again = () =>
      this.#get(one).catch((error) => {
        // requests that are refused meanwhile are counted as what they are
        console.error(`${error.message}; trying again`);
        this.#later(one, RETRY_MS);
      });
    this.#timers.set(one.name, setTimeout(again, ms).unref());
  }
}

/** Values that look like tokens, for a test that must not ask anybody for them. */
export function standIns(wanted) {
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, 'x'.repeat(40)]));
}

async function ask(one) {
  const { token_url: url, grant } = one;
  const form = {
    grant_type: grant,
    ...given(one, ['scope', 'audience']),
    ...(grant === 'password' ? given(one, ['username', 'password']) : {}),
    ...(grant === 'refresh_token' ? given(one, ['refresh_token']) : {}),
  };
  const headers = { Accept: 'application/json' };
  if (one.client_authentication === 'body') Object.assign(form, given(one, ['client_id', 'client_secret']));
  else if (one.client_secret) headers.Authorization = `Basic ${basic(one)}`;
  else Object.assign(form, given(one, ['client_id'])); // a client that has no secret says its name
  const { status, text } = await post(url, form, headers);
  return parsed(url, status, text);
}

const given = (one, names) => Object.fromEntries(names.filter((name) => one[name]).map((name) => [name, one[name]]));

/** As RFC 6749 wants it: both parts are encoded as in a form before they are joined. */
function basic({ client_id: id, client_secret: secret }) {
  const encoded = [id, secret].map((part) => new URLSearchParams({ x: part }).toString().slice(2));
  const joined = Buffer.from(encoded.join(':')).toString('base64');
  keepSecret({ client_secret: joined });
  return joined;
}

/** By Newman's own client: the same proxies, certificates and rules as for requests. */
function post(url, form, headers) {
  const request = require('postman-request');
  const connection = ownConnection({ limitMs: REQUEST_MS, itemName: () => TOKEN_REQUEST });
  return new Promise((resolve, reject) => {
    const agents = { http: connection.http, https: connection.https };
    const options = { url, method: 'POST', form, headers, agents, followRedirect: false };
    request(options, (error, response, body) => {
      connection.close();
      if (error) reject(new Error(`no token from ${url}: ${error.message}`));
      else resolve({ status: response.statusCode, text: String(body ?? '').slice(0, LONGEST_ANSWER) });
    });
  });
}

function parsed(url, status, text) {
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = undefined;
  }
  const refused = typeof answer?.error === 'string' ? ` ${answer.error.slice(0, 100)}` : '';
  if (status !== 200 && status !== 201) throw new Error(`no token from ${url}: ${status}${refused}`);
  if (typeof answer?.access_token !== 'string' || !TOKEN.test(answer.access_token)) {
    throw new Error(`no token from ${url}: ${status}, and its answer has no access_token${refused}`);
  }
  const seconds = Number(answer.expires_in);
  return {
    access_token: answer.access_token,
    refresh_token: typeof answer.refresh_token === 'string' ? answer.refresh_token : '',
    lifetime_s: Number.isFinite(seconds) && seconds > 0 ? seconds : UNKNOWN_LIFETIME_S,
  };
}
