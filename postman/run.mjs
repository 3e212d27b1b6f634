#!/usr/bin/env node
// The Newman driver: reads one JSON object from stdin, runs its collection once (mode "smoke")
// or as a load test (mode "load"), and writes JSON lines to stdout. harness/newman.py starts it.
// Keys come from the environment (AWS_ACCESS_KEY_ID, ...), never from stdin, argv or a file.

import { text } from 'node:stream/consumers';

// Whatever a library prints goes to stderr: stdout carries this driver's events and nothing else.
console.log = console.info = console.debug = console.error;

const MODES = {
  smoke: () => import('./driver/smoke.mjs'),
  load: () => import('./driver/load.mjs'),
};

const config = JSON.parse(await text(process.stdin));
const mode = await MODES[config.mode]();
try {
  process.exitCode = await mode.main(config);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
