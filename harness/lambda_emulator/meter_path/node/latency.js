"use strict";
// How long AWS's services take to answer; see dyno_meter/latency.py, whose table this reads.

const fs = require("fs");
const path = require("path");

const { MB_PER_VCPU } = require("./cfs.js");

// Five parts of a normal distribution that are equally likely; see dyno_meter/latency.py.
const CUTS = [-Infinity, -0.8416, -0.2533, 0.2533, 0.8416, Infinity];

const TABLE = path.join(__dirname, "..", "dyno_meter", "latency.json");

// (service, operation) of an HTTP request's beginning; "" for what is not known.
function operationOf(text) {
  const split = text.indexOf("\r\n\r\n");
  const head = split < 0 ? text : text.slice(0, split);
  const body = split < 0 ? "" : text.slice(split + 4);
  const scope = /Credential=[^/\s]+\/\d+\/[^/]+\/([^/]+)\/aws4_request/.exec(head);
  const service = scope ? scope[1] : "";
  const target = /\r\nx-amz-target: *([^\r\n]+)/i.exec(head);
  if (target) return [service, target[1].trim().split(".").pop()];
  const [method, url = ""] = head.split(" ", 2);
  const [pathname, query = ""] = url.split("?");
  const rpc = /^\/service\/[^/]+\/operation\/(\w+)/.exec(pathname);
  if (rpc) return [service, rpc[1]];
  const action = /(?:^|&)Action=(\w+)/.exec(body) || /(?:^|&)Action=(\w+)/.exec(query);
  if (action) return [service, action[1]];
  if (service === "s3") return [service, s3Operation(method, pathname, query)];
  if (service === "lambda" && /^\/\d{4}-\d\d-\d\d\/functions\/[^/]+\/(invocations|invoke-async)/.test(pathname)) {
    return [service, "Invoke"];
  }
  return [service, ""];
}

function s3Operation(method, pathname, query) {
  const ofObject = pathname.replace(/^\/+|\/+$/g, "").includes("/");
  if (method === "GET" && !ofObject) return "ListObjectsV2";
  if (method === "POST") return query.includes("delete") ? "DeleteObjects" : "PostObject";
  const names = { GET: "GetObject", PUT: "PutObject", HEAD: "HeadObject", DELETE: "DeleteObject" };
  return ofObject ? names[method] || "" : "";
}

class LatencyModel {
  constructor(seed, memoryMb = MB_PER_VCPU) {
    const table = JSON.parse(fs.readFileSync(TABLE, "utf8"));
    this.services = table.services;
    this.default = table.default;
    // a service's own time for a KB stays; that of the network, the default's, follows memory
    this.narrowMsPerKb = table.default.ms_per_kb * (Math.max(MB_PER_VCPU / memoryMb, 1) - 1);
    this.parts = new Map(); // still to come, by call's number
    this.call = 0;
    this.state = 2166136261;
    for (const character of seed) this.state = Math.imul(this.state ^ character.charCodeAt(0), 16777619);
  }

  // An invocation begins: its calls are counted from here.
  begin() {
    this.call = 0;
  }

  // One call's latency in ms; null where the real time is to be kept.
  drawMs(service, operation, sentBytes) {
    const entry = this.entry(service, operation);
    if (entry.as_measured) return null;
    const spread = Math.exp(this.normalOfPart() * entry.sigma);
    return entry.median_ms * spread + this.bytesMs(entry, sentBytes);
  }

  transferMs(service, operation, receivedBytes) {
    return this.bytesMs(this.entry(service, operation), receivedBytes);
  }

  bytesMs(entry, size) {
    return (size / 1024) * (entry.ms_per_kb + this.narrowMsPerKb);
  }

  entry(service, operation) {
    const known = this.services[service] || {};
    const ofOperation = (known.operations || {})[operation] || {};
    return { ...this.default, ...known.default, ...ofOperation };
  }

  // mulberry32: the same numbers for the same seed
  uniform() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let value = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  }

  normalOfPart() {
    let parts = this.parts.get(this.call) || [];
    if (!parts.length) {
      parts = [0, 1, 2, 3, 4];
      for (let i = 4; i > 0; i -= 1) {
        const j = Math.floor(this.uniform() * (i + 1));
        [parts[i], parts[j]] = [parts[j], parts[i]];
      }
      this.parts.set(this.call, parts);
    }
    this.call += 1;
    const part = parts.pop();
    for (;;) {
      const value = this.normal();
      if (value >= CUTS[part] && value < CUTS[part + 1]) return value;
    }
  }

  normal() {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }
}

module.exports = { LatencyModel, operationOf };
