// What a test asks: one collection, or several scenarios, each a collection or a folder of one.

import { loadInputs } from './newman.mjs';
import { keepSecret } from './secrets.mjs';

/** Between the name of a scenario and that of its request; harness/lambda_dyno/core/recording.py. */
const MARK = ' / ';

/**
 * The scenarios of a test; of one that is a single collection that one, without a name.
 *
 * @returns for each: name, weight, inputs (of `loadInputs`), and `named`, which names its requests
 */
export async function loadScenarios(config) {
  keepSecret(secretsOf(config));
  const wanted = config.scenarios?.length ? config.scenarios : [{ name: '', weight: 1, folder: '' }];
  const several = wanted.length > 1;
  const loaded = [];
  for (const { name, weight, ...files } of wanted) {
    const inputs = await loadInputs({ ...config, ...files, secret_values: secretsOf(config) });
    loaded.push({
      name,
      weight,
      inputs,
      named: several ? (request) => (request ? `${name}${MARK}${request}` : request) : (request) => request,
    });
  }
  return loaded;
}

/** Values by the variables that hold them: dyno.toml says which environment variables have them. */
function secretsOf({ secrets = {} }) {
  const values = Object.entries(secrets).map(([name, variable]) => [name, process.env[variable] ?? '']);
  return Object.fromEntries(values);
}

/** All tokens that a test needs and that are got without a person, by their variables. */
export function wantedTokens(config, scenarios) {
  const own = Object.fromEntries(
    Object.entries(config.oauth2 ?? {}).map(([name, how]) => [name, resolved(how)]),
  );
  return Object.assign({}, ...scenarios.map(({ inputs }) => inputs.tokens), own);
}

const REFERENCE = /^env:(\w+)$/;

function resolved(how) {
  const value = (text) => {
    const named = REFERENCE.exec(text);
    return named ? (process.env[named[1]] ?? '') : text;
  };
  const references = ['client_id', 'client_secret', 'username', 'password', 'refresh_token'];
  return { ...how, ...Object.fromEntries(references.map((key) => [key, value(how[key] ?? '')])) };
}

/**
 * Says which scenario the next iteration is of: each as often as its weight, as evenly mixed as
 * that allows, whoever makes the iterations and however long they take.
 */
export class Turns {
  #scenarios;
  #total;

  /**
   * @param weights of the scenarios
   * @param skipped how many iterations to begin after: one of several processes begins elsewhere
   */
  constructor(weights, skipped = 0) {
    this.#scenarios = weights.map((weight) => ({ weight, credit: 0 }));
    this.#total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let turn = 0; turn < skipped; turn += 1) this.next();
  }

  /** The place of the next scenario. */
  next() {
    for (const scenario of this.#scenarios) scenario.credit += scenario.weight;
    let first = 0;
    this.#scenarios.forEach(({ credit }, place) => {
      if (credit > this.#scenarios[first].credit) first = place;
    });
    this.#scenarios[first].credit -= this.#total;
    return first;
  }
}
