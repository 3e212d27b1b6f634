"use strict";
// What a handler finds around it, as on AWS Lambda; see dyno_meter/context.py.

const os = require("os");

const { vcpus } = require("./cfs.js");

function showCpus(memoryMb) {
  const count = vcpus(memoryMb);
  const seen = os.cpus();
  os.cpus = () => Array.from({ length: count }, (_, index) => ({ ...seen[index % seen.length] }));
  os.availableParallelism = () => count;
}

function showArchitecture(architecture) {
  const [name, machine] = architecture === "arm64" ? ["arm64", "aarch64"] : ["x64", "x86_64"];
  if (process.arch === name) return;
  Object.defineProperty(process, "arch", { value: name, configurable: true, enumerable: true });
  os.arch = () => name;
  os.machine = () => machine;
}

// Adds what AWS's context has and the embedded AWS's has not.
function completeContext(context, remainingMs) {
  context.getRemainingTimeInMillis = () => Math.max(0, Math.trunc(remainingMs()));
  context.logGroupName = process.env.AWS_LAMBDA_LOG_GROUP_NAME;
  context.logStreamName = process.env.AWS_LAMBDA_LOG_STREAM_NAME;
}

module.exports = { completeContext, showArchitecture, showCpus };
