"use strict";
// The platform's log lines; see dyno_meter/report.py.

function event(type, record) {
  return JSON.stringify({ time: new Date().toISOString(), type, record }) + "\n";
}

function startLine(requestId, version, asJson) {
  if (asJson) return event("platform.start", { requestId, version });
  return `START RequestId: ${requestId} Version: ${version}\n`;
}

function round(value, digits) {
  return Number(value.toFixed(digits));
}

function reportLines(requestId, { durationMs, memoryMb, maxMemoryMb, initMs, status = "success", errorType = "", measuredBy = "", asJson }) {
  const cold = initMs !== null && initMs !== undefined;
  const billedMs = Math.ceil(round(durationMs + (cold ? initMs : 0), 3));
  if (asJson) {
    const metrics = { durationMs: round(durationMs, 3), billedDurationMs: billedMs, memorySizeMB: memoryMb, maxMemoryUsedMB: maxMemoryMb };
    if (cold) metrics.initDurationMs = round(initMs, 3);
    const record = { requestId, metrics, status };
    if (errorType) record.errorType = errorType;
    if (measuredBy) record.measuredBy = measuredBy;
    return event("platform.report", record);
  }
  const fields = [
    `REPORT RequestId: ${requestId}`,
    `Duration: ${durationMs.toFixed(2)} ms`,
    `Billed Duration: ${billedMs} ms`,
    `Memory Size: ${memoryMb} MB`,
    `Max Memory Used: ${maxMemoryMb} MB`,
  ];
  if (cold) fields.push(`Init Duration: ${initMs.toFixed(2)} ms`);
  if (status === "timeout" || errorType) fields.push(`Status: ${status}`);
  if (errorType) fields.push(`Error Type: ${errorType}`);
  if (measuredBy) fields.push(`Measured By: ${measuredBy}`);
  return `END RequestId: ${requestId}\n` + fields.join("\t") + "\t\n";
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

module.exports = { errorLine, startLine, reportLines };
