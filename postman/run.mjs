#!/usr/bin/env node
// The Newman driver: reads a line of JSON from stdin, runs its collection once (mode "smoke"),
// as a load test (mode "load"), in the turns that further lines ask for (mode "turns"), or to tell
// what it sends (mode "record"), and writes JSON lines to stdout. One that is "kept" takes the next
// line then; mode "prepare" gets it ready before there is anything to do.
// harness/lambda_dyno/load/drivers/newman.py starts it.
// Keys come from the environment (AWS_ACCESS_KEY_ID, ...), and newer ones in a line {"renewed": ...};
// never from argv or a file.

import { Lines } from './driver/lines.mjs';
import { guardStderr } from './driver/secrets.mjs';

import { allowOnly } from './driver/allowed.mjs';

// Whatever a library prints goes to stderr: stdout carries this driver's events and nothing else.
console.log = console.info = console.debug = console.error;
guardStderr();

const MODES = {
  smoke: () => import('./driver/smoke.mjs'),
  load: () => import('./driver/load.mjs'),
  turns: () => import('./driver/turns.mjs'),
  record: () => import('./driver/record.mjs'),
  prepare: () => import('./driver/prepare.mjs'),
};

const lines = new Lines(process.stdin);
for (let goesOn = true; goesOn; ) {
  const { value, done } = await lines.next();
  if (done) break;
  const config = JSON.parse(value);
  allowOnly(config.allowed);
  const mode = await MODES[config.mode]();
  try {
    process.exitCode = await mode.main(config, lines);
    goesOn = config.kept && !process.exitCode;
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
    goesOn = false;
  }
}
// A script that goes on for ever, or stdin that is still open, would keep this process.
process.stdout.write('', () => process.exit());
