// Values that nothing may show: what this process writes is looked through for them.
//
// A message of a failed assertion may quote a token, and an item without a name is called by its
// path. So all that goes to stdout, to stderr and into samples has them taken out.

const SHORTEST = 4; // harness/lambda_dyno/core/asked_settings.py refuses shorter ones
const MOST_PASSING = 100; // of tokens that were renewed so often, the first are over for long
const forms = new Map(); // from a value to what it looks like, and what stands in its place
const passing = [];

/** Takes values that nothing may show, by the names that are shown in their place. */
export function keepSecret(named, { passes = false } = {}) {
  for (const [name, value] of Object.entries(named)) {
    const text = String(value ?? '');
    if (text.length < SHORTEST) continue;
    if (forms.has(text)) continue;
    forms.set(text, { looks: looksOf(text), name: `<${name}>` });
    if (passes && passing.push(text) > MOST_PASSING) forms.delete(passing.shift());
  }
}

/** Returns a text without secrets. */
export function redact(text) {
  let clean = text;
  for (const { looks, name } of forms.values()) clean = clean.replace(looks, name);
  return clean;
}

/** As JSON.stringify, without secrets in its texts. */
export function publicJson(value) {
  if (!forms.size) return JSON.stringify(value);
  return JSON.stringify(value, (_key, inner) => (typeof inner === 'string' ? redact(inner) : inner));
}

/** Keeps secrets out of what libraries, and this process's end, write to stderr. */
export function guardStderr() {
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = (chunk, ...others) =>
    write(typeof chunk === 'string' ? redact(chunk) : chunk, ...others);
  process.on('uncaughtException', (error) => {
    // by hand: Node.js itself writes past the guard
    process.stderr.write(`${error?.stack ?? error}\n`, () => process.exit(1));
  });
}

/**
 * What finds a value: as it is, with any of its characters encoded as in an address (who builds one
 * encodes some), in Base64, and as JSON has it.
 */
function looksOf(text) {
  const base64 = Buffer.from(text).toString('base64').replace(/=+$/, '');
  const inAddress = [...text].map(eitherWay).join('');
  const inJson = quoted(JSON.stringify(text).slice(1, -1));
  return new RegExp([inAddress, quoted(base64), inJson].join('|'), 'gu');
}

const quoted = (text) => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

function eitherWay(character) {
  if (/[\w.~-]/.test(character)) return quoted(character); // nobody encodes these
  return `(?:${quoted(character)}|${encoded(character)})`;
}

function encoded(character) {
  const bytes = [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`);
  const either = bytes.join('').replaceAll(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
  return character === ' ' ? `${either}|\\+` : either;
}
