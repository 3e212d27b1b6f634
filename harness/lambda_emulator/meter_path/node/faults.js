"use strict";
// What is wrong with a function, in the words of AWS's runtime for Node.js; see
// dyno_meter/faults.py.

const fs = require("fs");
const { createRequire } = require("module");
const path = require("path");
const { pathToFileURL } = require("url");

const OURS = /_worker\.js|meter(_path)?\/node\/|node:internal|\(node:events/;
const REJECTION = "Runtime.UnhandledPromiseRejection";

class Fault extends Error {
  constructor(errorType, message, cause) {
    super(message, { cause });
    this.errorType = errorType;
    this.stack = (cause && cause.stack) || this.stack;
  }
}

// A function's handler; fails with the reason why there is none.
async function load(folder, module, name) {
  let loaded;
  try {
    loaded = await loadModule(path.resolve(folder, module));
  } catch (error) {
    if (error instanceof SyntaxError) throw new Fault("Runtime.UserCodeSyntaxError", String(error), error);
    if (error && /^(ERR_)?MODULE_NOT_FOUND$/.test(error.code)) {
      throw new Fault("Runtime.ImportModuleError", String(error), error);
    }
    throw error;
  }
  const found = loaded[name] || (loaded.default && loaded.default[name]) || loaded.default;
  if (typeof found === "function") return found;
  throw new Fault("Runtime.HandlerNotFound", `${module}.${name} is undefined or not exported`);
}

async function loadModule(fullPath) {
  const require = createRequire(fullPath);
  let resolved;
  try {
    resolved = require.resolve(fullPath);
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND" || !fs.existsSync(`${fullPath}.mjs`)) throw error;
    resolved = `${fullPath}.mjs`;
  }
  try {
    return require(resolved);
  } catch (error) {
    if (error.code !== "ERR_REQUIRE_ESM" && error.code !== "ERR_REQUIRE_ASYNC_MODULE") throw error;
    return import(pathToFileURL(resolved).href);
  }
}

// An error's type, its message and its stack without the frames of the worker and the meter.
function describe(error) {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), stack: [] };
  const stack = String(error.stack || error).split("\n").filter((line) => !OURS.test(line));
  return { errorType: error.errorType || error.name, errorMessage: error.message, stack };
}

function rejection(reason) {
  const fault = new Fault(REJECTION, String(reason));
  const [, ...frames] = reason instanceof Error ? String(reason.stack).split("\n    at ") : [];
  fault.stack = [`${REJECTION}: ${fault.message}`, ...frames].join("\n    at ");
  return fault;
}

function titleOf({ errorType }) {
  return errorType === REJECTION ? "Unhandled Promise Rejection" : "Uncaught Exception";
}

// With what the runtime ends when nobody asks for its error any more.
function exitStatusOf({ errorType }) {
  return errorType === REJECTION ? 128 : 129;
}

// What the runtime logs of an error that the handler did not catch.
function errorLine(requestId, title, { errorType, errorMessage, stack }, asJson) {
  const timestamp = new Date().toISOString();
  if (asJson) {
    const record = { timestamp, requestId, level: "ERROR", errorType, errorMessage, stackTrace: stack };
    return JSON.stringify(record) + "\n";
  }
  return `${timestamp}\t${requestId}\tERROR\t${title} \t${JSON.stringify({ errorType, errorMessage, stack })}\n`;
}

module.exports = { describe, errorLine, exitStatusOf, load, rejection, titleOf };
