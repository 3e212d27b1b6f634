// What the driver tells harness/lambda_dyno/load/drivers/newman.py: one JSON object a line.

import { publicJson } from './secrets.mjs';

/** Tells an event, without the secrets that this process knows. */
export function emit(event) {
  process.stdout.write(`${publicJson(event)}\n`);
}

/** Tells what is secret itself: whoever reads it keeps it from all logs. */
export function emitInConfidence(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
