"use strict";
// What the worker takes for its stdin and stdout: a socket to the sandbox, on a descriptor that no
// handler comes across.

const fs = require("fs");
const net = require("net");
const readline = require("readline");

const writeSync = fs.writeSync.bind(fs); // the worker replaces it
const pause = new Int32Array(new SharedArrayBuffer(4));

class Channel {
  constructor(descriptor) {
    this.descriptor = descriptor;
    this.socket = new net.Socket({ fd: descriptor, readable: true, writable: true });
    this.socket.on("error", () => process.reallyExit(0)); // the sandbox is gone
    this.socket.on("end", () => process.reallyExit(0));
  }

  // Lets the worker start, which holds on to what it finds then.
  handOver(start) {
    const channel = this;
    const { createInterface } = readline;
    readline.createInterface = function () {
      readline.createInterface = createInterface;
      const lines = createInterface({ input: channel.socket, terminal: false });
      const on = lines.on.bind(lines);
      lines.on = (name, listener) => on(name, name === "line" ? channel.reading(listener) : listener);
      return lines;
    };
    process.stdout.write = (text) => {
      channel.write(channel.meter.answering(text));
      return true;
    };
    const { write } = fs;
    start();
    delete process.stdout.write; // stdout is the log
    Object.assign(fs, { write, writeSync });
  }

  reading(listener) {
    let first = true;
    return (line) => {
      if (first) {
        first = false;
        this.meter.load(JSON.parse(line)).then((init) => listener(JSON.stringify(init)));
        return;
      }
      this.meter.start(contextOf(line));
      this.socket.unref(); // it is not the function that waits for it
      listener(line);
    };
  }

  // Writes without the event loop, which the handler may keep busy.
  write(text) {
    let data = Buffer.from(text);
    while (data.length) {
      try {
        data = data.subarray(writeSync(this.descriptor, data));
      } catch (error) {
        if (error.code !== "EAGAIN") return;
        Atomics.wait(pause, 0, 0, 1);
      }
    }
    this.socket.ref();
  }
}

// An invocation's context, without parsing its event, which may be megabytes.
function contextOf(line) {
  const found = line.lastIndexOf(', "ctx": {');
  try {
    return JSON.parse("{" + line.slice(found + ', "ctx": {'.length).trimEnd().slice(0, -1));
  } catch {
    return JSON.parse(line).ctx || {};
  }
}

module.exports = { Channel };
