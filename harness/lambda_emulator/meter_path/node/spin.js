"use strict";
// A short piece of work that is always the same; see dyno_meter/spin.py.

const { cpuUsage } = require("./clocks.js");

// No loop of ours: it would be slow until it is compiled, and then ten times as fast.
const ROUNDS = 4;
const DOCUMENT = JSON.stringify(
  Array.from({ length: 24 }, (_, i) => ({ id: `item-${i}`, n: i, price: i * 1.5 })),
);
const { parse, stringify } = JSON;

function halfMs() {
  const begin = cpuUsage();
  for (let round = 0; round < ROUNDS; round += 1) stringify(parse(DOCUMENT));
  const { user, system } = cpuUsage(begin);
  return (user + system) / 1000;
}

// Does it; returns its CPU time in ms.
function spinMs() {
  parse(DOCUMENT);
  return 2 * Math.min(halfMs(), halfMs());
}

// How often the process was made to leave its core.
const resourceUsage = process.resourceUsage.bind(process);
const switches = () => resourceUsage().involuntaryContextSwitches;

module.exports = { spinMs, switches };
