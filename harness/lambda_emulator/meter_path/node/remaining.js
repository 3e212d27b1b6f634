"use strict";
// What is left of an invocation's timeout, told often at no cost; see dyno_meter/remaining.py.

const { MB_PER_VCPU } = require("./cfs.js");
const { cpuUsage, now } = require("./clocks.js");

const LEAST_MS = 5;
const TIMES_ITS_COST = 50;

class Remaining {
  // `elapsed` runs the model, and leaves out what that costs.
  constructor(timeoutMs, memoryMb, elapsed) {
    this.timeoutMs = timeoutMs;
    this.pace = Math.max(1, MB_PER_VCPU / memoryMb);
    this.elapsed = elapsed;
    this.knownMs = this.toldMs = this.costMs = 0;
    this.wallMs = now();
    this.cpu = cpuUsage();
  }

  ms() {
    const wallMs = now();
    let sinceMs = wallMs - this.wallMs;
    // two calls in the same moment ask the kernel once
    if (sinceMs < 0.05 && this.toldMs) return this.timeoutMs - this.toldMs;
    if (sinceMs > Math.max(LEAST_MS, TIMES_ITS_COST * this.costMs)) {
      this.knownMs = this.elapsed();
      this.wallMs = now();
      this.cpu = cpuUsage();
      this.costMs = this.wallMs - wallMs;
      sinceMs = 0;
    }
    const used = cpuUsage(this.cpu);
    const ranMs = Math.min(sinceMs, (used.user + used.system) / 1000);
    this.toldMs = Math.max(this.toldMs, this.knownMs + ranMs * this.pace + (sinceMs - ranMs));
    return this.timeoutMs - this.toldMs;
  }
}

module.exports = { Remaining };
