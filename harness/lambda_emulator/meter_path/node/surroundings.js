"use strict";
// What a handler finds around it, as on AWS Lambda; see dyno_meter/context.py.

const http = require("http");
const os = require("os");

const { vcpus } = require("./cfs.js");

const OF_THE_SERVER = [
  "AUTH", "BIND_HOST", "DOCKER_HOST", "DYNO_METER", "DYNO_METER_KEY", "DYNO_METER_PATH", "DYNO_NODE",
  "DYNO_NODE_METER", "DYNO_OWNER", "DYNO_PYTHON", "GATEWAY_PORT", "IOT_MTLS_ENABLED", "LAMBDA_ACCOUNT_CONCURRENCY", "MINISTACK_ACCOUNT_ID", "MINISTACK_HOST",
  "MINISTACK_REGION", "PYTHONPATH", "PYTHONUNBUFFERED", "SFTP_ENABLED",
];

// What GetFunctionConfiguration says; empty if there is no answer.
function functionConfiguration(arn, version, port) {
  const [, , , region, account, , name] = arn.split(":");
  if (!name || !port) return Promise.resolve({});
  const scope = `Credential=${account}/19700101/${region}/lambda/aws4_request`;
  const options = {
    host: "127.0.0.1",
    port,
    path: `/2015-03-31/functions/${name}/configuration?Qualifier=${encodeURIComponent(version)}`,
    headers: {
      authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=0`,
      "x-dyno-meter": process.env.DYNO_METER_KEY || "", // good for this question, and no other
    },
    agent: false,
    timeout: 2000,
  };
  return new Promise((resolve) => {
    const request = http.get(options, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text) => (body += text));
      response.on("end", () => {
        try {
          resolve(JSON.parse(body));
        } catch {
          resolve({});
        }
      });
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve({}));
  });
}

function prepareEnvironment(handler, configuration) {
  const declared = (configuration.Environment || {}).Variables || {};
  for (const name of OF_THE_SERVER) if (!(name in declared)) delete process.env[name];
  if ("NODE_OPTIONS" in declared) process.env.NODE_OPTIONS = declared.NODE_OPTIONS;
  else delete process.env.NODE_OPTIONS;
  const logging = configuration.LoggingConfig || {};
  const name = process.env.AWS_LAMBDA_FUNCTION_NAME || "";
  const version = process.env.AWS_LAMBDA_FUNCTION_VERSION || "$LATEST";
  const stream = process.env.AWS_LAMBDA_LOG_STREAM_NAME || "";
  const day = new Date().toISOString().slice(0, 10).replace(/-/g, "/");
  Object.assign(process.env, {
    _HANDLER: handler,
    AWS_EXECUTION_ENV: `AWS_Lambda_${configuration.Runtime || "nodejs22.x"}`,
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: logging.LogGroup || `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: stream.includes("[") ? stream : `${day}/[${version}]${stream.replace(/-/g, "")}`,
    LAMBDA_RUNTIME_DIR: "/var/runtime",
  });
  if ((logging.LogFormat || "").toUpperCase() === "JSON") {
    process.env.AWS_LAMBDA_LOG_FORMAT = "JSON";
    if (logging.ApplicationLogLevel) process.env.AWS_LAMBDA_LOG_LEVEL = logging.ApplicationLogLevel;
  }
}

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

module.exports = { completeContext, functionConfiguration, prepareEnvironment, showArchitecture, showCpus };
