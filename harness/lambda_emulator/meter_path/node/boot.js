"use strict";
// Starts a Node.js worker with the meter in it: `node boot.js ORDERS`. The orders are JSON: `worker`
// is MiniStack's program, `protocol` the descriptor of the socket to the sandbox. What this does is
// said in dyno_meter/worker.py and dyno_meter/meter.py.

const { Channel } = require("./channel.js");
const { Meter } = require("./worker.js");

const orders = JSON.parse(process.argv[2]);
process.argv.splice(1, 2, orders.worker);
delete process.env.DYNO_OWNER; // only to be seen from outside
const channel = new Channel(orders.protocol);
globalThis[Symbol.for("dyno-meter")] = channel.meter = new Meter(channel);
channel.handOver(() => require(orders.worker));
