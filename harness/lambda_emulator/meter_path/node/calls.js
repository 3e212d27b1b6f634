"use strict";
// Notices calls to the embedded AWS by their sockets; see dyno_meter/calls.py.

const net = require("net");

const { now } = require("./clocks.js");
const { operationOf } = require("./latency.js");

const LOOPBACK = new Set(["127.0.0.1", "localhost", "::1"]);
const HEAD_BYTES = 4096;
const NOTICED_MS = 0.5;

class Calls {
  constructor(timeline, latency, port) {
    this.timeline = timeline;
    this.latency = latency;
    this.port = port;
    this.enabled = true;
    this.nextKey = 0;
  }

  begin(enabled) {
    this.enabled = enabled;
    this.latency.begin();
  }

  install() {
    const calls = this;
    const connect = net.Socket.prototype.connect;
    net.Socket.prototype.connect = function (...parameters) {
      calls.watch(this, isOurs(parameters, calls.port));
      return connect.apply(this, parameters);
    };
  }

  watch(socket, ours) {
    const calls = this;
    const connection = ours ? { key: null, head: "", sent: 0, modelled: false, owedMs: 0, waitedMs: 0 } : null;
    const push = socket.push;
    socket.push = function (chunk, ...rest) {
      if (chunk && connection && calls.enabled) calls.received(connection, chunk);
      else if (chunk) calls.timeline.markWait();
      return push.call(this, chunk, ...rest);
    };
    if (!connection) return;
    const write = socket.write;
    socket.write = function (data, ...rest) {
      const result = write.call(this, data, ...rest);
      if (calls.enabled && data && data.length) calls.sent(connection, data);
      return result;
    };
  }

  sent(connection, data) {
    const text = typeof data === "string" ? data : Buffer.from(data.buffer || data, data.byteOffset, Math.min(data.length, HEAD_BYTES)).latin1Slice();
    if (connection.key === null) {
      connection.key = this.nextKey++;
      connection.head = text.slice(0, HEAD_BYTES);
      connection.sent = 0;
    } else if (connection.head.length < HEAD_BYTES) {
      connection.head += text.slice(0, HEAD_BYTES);
    }
    connection.sent += data.length;
    [connection.service, connection.operation] = operationOf(connection.head);
    const latencyMs = this.latency.drawMs(connection.service, connection.operation, connection.sent);
    connection.modelled = latencyMs !== null;
    if (connection.modelled) this.timeline.call(connection.key, latencyMs);
  }

  received(connection, chunk) {
    const wallMs = now();
    if (connection.key !== null) {
      if (connection.modelled) this.timeline.answer(connection.key);
      if (chunk.latin1Slice(0, 12) === "HTTP/1.1 100") return; // go on: the body comes now
      connection.key = null;
      connection.owedMs = connection.waitedMs = 0;
    } else if (connection.modelled) {
      connection.waitedMs += wallMs - connection.lastMs;
    }
    connection.lastMs = wallMs;
    if (!connection.modelled) {
      this.timeline.markWait();
      return;
    }
    connection.owedMs += this.latency.transferMs(connection.service, connection.operation, chunk.length);
    if (Math.max(connection.owedMs, connection.waitedMs) >= NOTICED_MS) {
      this.timeline.replaceWait(connection.waitedMs, connection.owedMs);
      connection.owedMs = connection.waitedMs = 0;
    }
  }
}

function isOurs(parameters, port) {
  // net.connect() hands over its normalised arguments as one array
  const first = Array.isArray(parameters[0]) ? parameters[0][0] : parameters[0];
  const options = typeof first === "object" && first !== null
    ? first
    : { port: first, host: typeof parameters[1] === "string" ? parameters[1] : "localhost" };
  return Number(options.port) === port && LOOPBACK.has(options.host || "localhost");
}

module.exports = { Calls };
