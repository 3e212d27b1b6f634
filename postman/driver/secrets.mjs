// Values that nothing may show: what this process writes is looked through for them.
//
// A message of a failed assertion may quote a token, and an item without a name is called by its
// path. So all that goes to stdout, to stderr and into samples has them taken out.

const SHORTEST = 4; // harness/lambda_dyno/core/asked_settings.py refuses shorter ones
const values = new Map(); // from each form of a value to what stands in its place

/** Takes values that nothing may show, by their names; names of no interest are shown. */
export function keepSecret(named) {
  for (const [name, value] of Object.entries(named)) {
    const text = String(value ?? '');
    if (text.length < SHORTEST) continue;
    for (const form of formsOf(text)) values.set(form, `<${name}>`);
  }
}

/** Returns a text without secrets. */
export function redact(text) {
  if (!values.size) return text;
  let clean = text;
  for (const [form, name] of values) {
    if (clean.includes(form)) clean = clean.replaceAll(form, name);
  }
  return clean;
}

/** As JSON.stringify, without secrets in its texts. */
export function publicJson(value) {
  if (!values.size) return JSON.stringify(value);
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

function formsOf(text) {
  const base64 = Buffer.from(text).toString('base64').replace(/=+$/, '');
  const inPath = encodeURI(text);
  return new Set([text, encodeURIComponent(text), inPath, base64, JSON.stringify(text).slice(1, -1)]);
}
