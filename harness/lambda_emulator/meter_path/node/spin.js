"use strict";
// A short piece of work that is always the same; see dyno_meter/spin.py.

const { cpuUsage } = require("./clocks.js");

// No loop of ours: it would be slow until it is compiled, and then ten times as fast.
const DOCUMENTS = [0, 24, 48, 72, 96, 120].map((first) =>
  JSON.stringify(
    Array.from({ length: 24 }, (_, i) => ({ id: `item-${first + i}`, n: first + i, price: i * 1.5 })),
  ),
);
const { parse, stringify } = JSON;

// Does it; returns its CPU time in ms.
function spinMs() {
  const begin = cpuUsage();
  for (const document of DOCUMENTS) stringify(parse(document));
  const { user, system } = cpuUsage(begin);
  return (user + system) / 1000;
}

module.exports = { spinMs };
