"use strict";
// What a worker uses of this machine; see dyno_meter/usage.py. Files below /proc stay open.

const fs = require("fs");

const { openSync, readSync, closeSync, readdirSync, readFileSync, statSync } = fs;
const buffer = Buffer.alloc(4096);

function readOpen(descriptor) {
  return buffer.latin1Slice(0, readSync(descriptor, buffer, 0, buffer.length, 0));
}

class Probe {
  constructor() {
    this.tasks = new Map(); // thread id -> {descriptor, waitedNs}
    this.links = -1;
    this.endedQueueNs = 0;
    this.reapedMs = 0;
    this.childrenSeen = false;
    try {
      this.children = openSync(`/proc/self/task/${process.pid}/children`, "r");
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

  // Counters now, in ms. Helpers are all threads but the main one.
  read() {
    const wallMs = performance.now();
    const cpu = process.cpuUsage();
    const processMs = (cpu.user + cpu.system) / 1000;
    let cpuMs = processMs;
    let queueMs = 0;
    let helpersQueueMs = 0;
    if (this.hasSchedstat) {
      const queues = this.queuesNs();
      const children = this.childrenMs();
      cpuMs += children.cpuMs;
      queueMs = queues.main / 1e6 + children.queueMs;
      helpersQueueMs = queues.helpers / 1e6;
    }
    return { wallMs, cpuMs, queueMs, helpersQueueMs, processMs };
  }

  queuesNs() {
    this.findTasks();
    const queues = { main: 0, helpers: this.endedQueueNs };
    for (const [id, task] of this.tasks) {
      const kind = id === process.pid ? "main" : "helpers";
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
    const alive = new Set(readdirSync("/proc/self/task").map(Number));
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

  drop(id) {
    const task = this.tasks.get(id);
    this.endedQueueNs += task.waitedNs;
    closeSync(task.descriptor);
    this.tasks.delete(id);
    this.links = -1;
  }

  // CPU and queue time of all children: the living from their own files, and of those that
  // were waited for what the kernel keeps, in ticks of 10 ms.
  childrenMs() {
    const result = { cpuMs: 0, queueMs: 0 };
    if (this.children === null) return result;
    const ids = readOpen(this.children).split(" ").filter(Boolean);
    if (!ids.length && !this.childrenSeen) return result;
    this.childrenSeen = true;
    const waiting = ids;
    const seen = new Set();
    while (waiting.length) {
      const pid = waiting.pop();
      if (seen.has(pid)) continue;
      seen.add(pid);
      try {
        for (const id of readdirSync(`/proc/${pid}/task`)) {
          const [ran, waited] = readFileSync(`/proc/${pid}/task/${id}/schedstat`, "latin1").split(" ");
          result.cpuMs += Number(ran) / 1e6;
          result.queueMs += Number(waited) / 1e6;
          const below = readFileSync(`/proc/${pid}/task/${id}/children`, "latin1");
          waiting.push(...below.split(" ").filter(Boolean));
        }
      } catch {
        continue;
      }
    }
    const fields = readFileSync("/proc/self/stat", "latin1").split(") ")[1].split(" ");
    result.cpuMs += (Number(fields[13]) + Number(fields[14])) * 10; // cutime, cstime
    return result;
  }
}

// The most memory that this process has had, in MB.
function maxMemoryMb() {
  try {
    const found = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "latin1"));
    return Math.ceil(Number(found[1]) / 1024);
  } catch {
    return Math.ceil(process.resourceUsage().maxRSS / 1024);
  }
}

module.exports = { Probe, maxMemoryMb };
