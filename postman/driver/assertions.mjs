// Which assertions are about the status of an answer. One that holds says that a status of 400
// and more is wanted; one about the time or the body says nothing of it.

const STATUS_NAME = /\bstatus\b|\b[45]\d\d\b/i;
const STATUS_WORDS = [
  'accepted',
  'badRequest',
  'clientError',
  'error',
  'forbidden',
  'info',
  'notFound',
  'ok',
  'rateLimited',
  'redirection',
  'serverError',
  'success',
  'unauthorized',
];
const READS_STATUS = new RegExp(
  `\\bresponseCode\\b|\\.(code|status)\\b|\\bbe\\.(${STATUS_WORDS.join('|')})\\b|['"]code['"]`,
);
const TEST = /\bpm\s*\.\s*test\s*\(/g;
const LEGACY_TEST = /\btests\s*\[([^\]]+)\]\s*=([^;\n]*)/g;
const LITERAL = /^\s*(?:'([^'\\]*)'|"([^"\\]*)"|`([^`\\$]*)`)\s*$/;

/**
 * @param scripts texts of an item's test scripts, inherited ones too
 * @returns a function that tells of an assertion's name whether it is about the status
 */
export function statusAssertions(scripts) {
  const tests = scripts.flatMap((script) => [...testsOf(script)]);
  const named = new Map();
  let unnamed = false; // whether a test whose name is made at run time reads the status
  for (const { name, body } of tests) {
    const reads = READS_STATUS.test(body);
    if (name === undefined) unnamed ||= reads;
    else named.set(name, reads || named.get(name) || false);
  }
  return (name) => STATUS_NAME.test(name) || (named.get(name) ?? unnamed);
}

function* testsOf(script) {
  for (const match of script.matchAll(TEST)) {
    const from = match.index + match[0].length;
    const [name, ...rest] = argumentsAt(script, from);
    yield { name: literalOf(name), body: rest.join(',') };
  }
  for (const [, name, body] of script.matchAll(LEGACY_TEST)) yield { name: literalOf(name), body };
}

function literalOf(text) {
  return LITERAL.exec(text)?.slice(1).find((part) => part !== undefined);
}

/** The texts of a call's arguments; strings and comments may have brackets in them. */
function argumentsAt(text, from) {
  const found = [];
  let depth = 0;
  let begin = from;
  for (let at = from; at < text.length; at = after(text, at)) {
    const character = text[at];
    if ('([{'.includes(character)) depth += 1;
    if (')]}'.includes(character)) depth -= 1;
    if (depth < 0 || (depth === 0 && character === ',')) {
      found.push(text.slice(begin, at));
      begin = at + 1;
    }
    if (depth < 0) return found;
  }
  return [...found, text.slice(begin)];
}

/** Where the next character is that is in no string and no comment. */
function after(text, at) {
  const character = text[at];
  if ('\'"`'.includes(character)) {
    let end = at + 1;
    while (end < text.length && text[end] !== character) end += text[end] === '\\' ? 2 : 1;
    return end + 1;
  }
  const comment = { '//': '\n', '/*': '*/' }[text.slice(at, at + 2)];
  if (!comment) return at + 1;
  const end = text.indexOf(comment, at + 2);
  return end < 0 ? text.length : end + comment.length;
}
