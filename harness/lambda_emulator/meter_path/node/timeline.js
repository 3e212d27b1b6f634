"use strict";
// What one invocation did, in order; see dyno_meter/timeline.py. There is one main thread here,
// and other threads help it: an interval is as wide as the threads that ran or wanted to.

const { cpuUsage, now } = require("./clocks.js");

const NOISE_MS = 0.1;
const NOISE_SHARE = 0.01;
const NO_CPU_MS = 0.005;
// What it takes to wake the process for a look by the meter's own timer.
const WAKE_MS = 0.05;
// The most that the meter itself takes at once. More is that of threads that run meanwhile.
const OWN_MS = 0.4;
// Helper threads queue for a core now and then; less than this is one thread's work.
const ONE_THREAD = 1.5;
const NOTICED_MS = 0.5;

class Timeline {
  constructor(read) {
    this.read = read;
    this.events = [];
    this.last = null;
    this.active = false;
    this.beginWallMs = 0;
    this.timers = 0;
  }

  begin() {
    this.events = [];
    this.last = this.read();
    this.beginWallMs = this.last.wallMs;
    this.active = true;
  }

  end() {
    this.mark();
    this.active = false;
  }

  // How long ago the last mark was.
  ageMs() {
    return now() - this.last.wallMs;
  }

  // Leaves out what the meter itself has used since `before`, and what it has queued for a core
  // to do so: the function's own wait went on meanwhile.
  forgive(before, queuedMs) {
    const used = cpuUsage(before);
    this.last.cpuMs += Math.min(OWN_MS, (used.user + used.system) / 1000) + WAKE_MS;
    this.last.queueMs += queuedMs;
  }

  // Marks, does some work of the meter's and returns what it gives; none of it is in any step.
  leaveOut(work) {
    this.mark();
    const result = work();
    if (this.active) this.last = this.read();
    return result;
  }

  mark() {
    if (!this.active) return;
    const reading = this.read();
    const wallMs = Math.max(0, reading.wallMs - this.last.wallMs);
    const cpuMs = Math.max(0, reading.cpuMs - this.last.cpuMs);
    // helpers that wait for a core hold up a main thread that works, not one that sleeps
    const helpersMs = Math.max(0, reading.helpersQueueMs - this.last.helpersQueueMs);
    const busyMs = cpuMs + Math.max(0, reading.queueMs - this.last.queueMs);
    let width = wallMs > 0 ? busyMs / wallMs : 1;
    if (width < ONE_THREAD) width = 1;
    let blockedMs = wallMs - busyMs - Math.min(cpuMs, helpersMs);
    if (blockedMs < NOISE_MS + NOISE_SHARE * wallMs) blockedMs = 0;
    this.events.push({ kind: "interval", cpuMs, width, blockedMs });
    const after = cpuUsage(); // what the meter itself took is not the function's
    const ownMs = (after.user + after.system) / 1000 - reading.processMs;
    this.last = { ...reading, cpuMs: reading.cpuMs + Math.max(0, Math.min(ownMs, OWN_MS)) };
  }

  // Marks if the last mark is some time ago: something has ended that may have been a wait.
  markWait() {
    if (this.active && now() - this.last.wallMs > NOTICED_MS) this.mark();
  }

  call(key, latencyMs) {
    this.mark();
    if (this.active) this.events.push({ kind: "call", key, latencyMs });
  }

  answer(key) {
    this.mark();
    if (this.active) this.events.push({ kind: "answer", key });
  }

  // Notes that a timer begins; returns its key.
  timer(delayMs) {
    if (!this.active || !(delayMs >= NOTICED_MS)) return null;
    if (this.ageMs() > NOTICED_MS) this.mark(); // what came before it is no wait for it
    const key = `timer ${this.timers++}`;
    this.events.push({ kind: "call", key, latencyMs: Number(delayMs) });
    return key;
  }

  timerFired(key) {
    if (key === null || !this.events.some((event) => event.key === key)) this.markWait();
    else this.answer(key);
  }

  // Lets a modelled wait stand for one that has just ended.
  replaceWait(waitedMs, modelledMs) {
    this.mark();
    if (!this.active) return;
    const last = this.events[this.events.length - 1];
    last.blockedMs = Math.max(0, last.blockedMs - waitedMs);
    this.events.push({ kind: "interval", cpuMs: 0, width: 1, blockedMs: modelledMs });
  }

  steps() {
    const answered = new Set();
    for (const event of this.events) if (event.kind === "answer") answered.add(event.key);
    const asked = new Set();
    const steps = [];
    for (const event of this.events) {
      if (event.kind === "interval") {
        if (event.cpuMs > NO_CPU_MS) steps.push(["cpu", event.cpuMs, event.width]);
        if (event.blockedMs && !asked.size) {
          const before = steps[steps.length - 1];
          if (before && before[0] === "wait") before[1] += event.blockedMs;
          else steps.push(["wait", event.blockedMs]);
        }
      } else if (answered.has(event.key)) {
        if (event.kind === "call") {
          asked.add(event.key);
          steps.push(["call", event.key, event.latencyMs]);
        } else {
          asked.delete(event.key);
          steps.push(["answer", event.key]);
        }
      }
    }
    return steps;
  }
}

module.exports = { Timeline };
