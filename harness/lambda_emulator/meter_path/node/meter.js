"use strict";
// Loaded with --require into the Node.js workers of the embedded AWS (and doing nothing in any
// other Node.js process). What it does is said in dyno_meter/worker.py and dyno_meter/meter.py.

const path = require("path");
const { isMainThread } = require("worker_threads");

if (
  isMainThread
  && path.basename(process.argv[1] || "") === "_worker.js"
  && process.env.AWS_LAMBDA_FUNCTION_NAME
  && process.env.DYNO_METER
) {
  const { Meter } = require("./worker.js");
  globalThis[Symbol.for("dyno-meter")] = new Meter();
}
