"use strict";
// The clocks as they were before any function could replace them (fake timers do).

const { performance } = require("perf_hooks");

module.exports = {
  cpuUsage: process.cpuUsage.bind(process),
  loopUtilization: performance.eventLoopUtilization.bind(performance),
  now: performance.now.bind(performance),
};
