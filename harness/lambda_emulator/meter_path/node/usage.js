"use strict";
// What a worker uses of this machine; see dyno_meter/usage.py. Files below /proc stay open.
//
// Threads that are there before the function is loaded are V8's own: they help the main thread.
// Later ones, libuv's and worker_threads, work for the function as the main thread does.

const fs = require("fs");

const { cpuUsage, now } = require("./clocks.js");

const { openSync, readSync, closeSync, readdirSync, readFileSync, statSync } = fs;
const buffer = Buffer.alloc(4096);
const TICK_MS = 10;
const TICKS_OF_NOISE = 2;

function readOpen(descriptor) {
  return buffer.latin1Slice(0, readSync(descriptor, buffer, 0, buffer.length, 0));
}

class Probe {
  constructor() {
    this.tasks = new Map(); // thread id -> {descriptor, waitedNs}
    this.links = -1;
    this.helpers = new Set(this.threads());
    this.helpers.delete(process.pid);
    this.endedNs = { function: 0, helpers: 0 }; // what threads that have ended had queued
    this.childrenAlive = new Map(); // pid -> [ms run, ms queued] when last looked at
    this.childrenEnded = [0, 0];
    try {
      this.children = openSync(`/proc/self/task/${process.pid}/children`, "r");
      this.stat = openSync("/proc/self/stat", "r");
    } catch {
      this.children = null;
    }
    try {
      statSync("/proc/self/schedstat");
      this.hasSchedstat = true;
    } catch {
      this.hasSchedstat = false;
    }
  }

  threads() {
    try {
      return readdirSync("/proc/self/task").map(Number);
    } catch {
      return []; // no /proc
    }
  }

  // Whether more than the main thread may be at work for the function.
  get sideBySide() {
    return this.childrenAlive.size > 0 || this.tasks.size > this.helpers.size + 1;
  }

  // Counters now, in ms; `last` keeps them.
  read() {
    const wallMs = now();
    const cpu = cpuUsage();
    const processMs = (cpu.user + cpu.system) / 1000;
    let cpuMs = processMs;
    let queueMs = 0;
    let helpersQueueMs = 0;
    let mainQueueMs = 0; // part of queueMs
    if (this.hasSchedstat) {
      const queues = this.queuesNs();
      const children = this.childrenMs();
      cpuMs += children.cpuMs;
      queueMs = queues.function / 1e6 + children.queueMs;
      helpersQueueMs = queues.helpers / 1e6;
      mainQueueMs = this.tasks.get(process.pid).waitedNs / 1e6;
    }
    this.last = { wallMs, cpuMs, queueMs, helpersQueueMs, mainQueueMs, processMs };
    return this.last;
  }

  queuesNs() {
    this.findTasks();
    const queues = { ...this.endedNs };
    for (const [id, task] of this.tasks) {
      const kind = this.kindOf(id);
      try {
        task.waitedNs = Number(readOpen(task.descriptor).split(" ")[1]);
        queues[kind] += task.waitedNs;
      } catch {
        queues[kind] += task.waitedNs;
        this.drop(id);
      }
    }
    return queues;
  }

  findTasks() {
    const links = statSync("/proc/self/task").nlink;
    if (links === this.links) return;
    this.links = links;
    const alive = new Set(this.threads());
    for (const id of [...this.tasks.keys()]) if (!alive.has(id)) this.drop(id);
    for (const id of alive) {
      if (this.tasks.has(id)) continue;
      try {
        const descriptor = openSync(`/proc/self/task/${id}/schedstat`, "r");
        this.tasks.set(id, { descriptor, waitedNs: 0 });
      } catch {
        // it has just ended
      }
    }
  }

  kindOf(id) {
    return this.helpers.has(id) ? "helpers" : "function";
  }

  drop(id) {
    const task = this.tasks.get(id);
    this.endedNs[this.kindOf(id)] += task.waitedNs;
    closeSync(task.descriptor);
    this.tasks.delete(id);
    this.links = -1;
  }

  // CPU and queue time of all descendants. Those that have ended count as last looked at; of what
  // nobody has looked at the kernel keeps the CPU time, in ticks of 10 ms.
  childrenMs() {
    if (this.children === null) return { cpuMs: 0, queueMs: 0 };
    const waiting = readOpen(this.children).split(" ").filter(Boolean);
    const alive = new Map();
    while (waiting.length) {
      const pid = waiting.pop();
      if (alive.has(pid)) continue;
      const used = [0, 0];
      try {
        for (const id of readdirSync(`/proc/${pid}/task`)) {
          const [ran, waited] = readFileSync(`/proc/${pid}/task/${id}/schedstat`, "latin1").split(" ");
          used[0] += Number(ran) / 1e6;
          used[1] += Number(waited) / 1e6;
          const below = readFileSync(`/proc/${pid}/task/${id}/children`, "latin1");
          waiting.push(...below.split(" ").filter(Boolean));
        }
      } catch {
        continue; // it has just ended
      }
      alive.set(pid, used);
    }
    for (const [pid, used] of this.childrenAlive) {
      if (!alive.has(pid)) this.childrenEnded = add(this.childrenEnded, used);
    }
    this.childrenAlive = alive;
    const fields = readOpen(this.stat).split(") ")[1].split(" ");
    const reapedMs = (Number(fields[13]) + Number(fields[14])) * TICK_MS; // cutime, cstime
    const unseenMs = reapedMs - this.childrenEnded[0];
    if (unseenMs > TICKS_OF_NOISE * TICK_MS) this.childrenEnded = add(this.childrenEnded, [unseenMs, 0]);
    const [cpuMs, queueMs] = [...alive.values()].reduce(add, this.childrenEnded);
    return { cpuMs, queueMs };
  }
}

function add([a, b], [c, d]) {
  return [a + c, b + d];
}

module.exports = { Probe };
