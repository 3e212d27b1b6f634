"use strict";
// The CPU model of dyno_meter/cfs.py for Node.js workers. A test holds the two together; what
// the constants mean and where they come from is said there.

const MB_PER_VCPU = 1769;
const PERIOD_MS = 20;
const SLICE_MS = 5;
const TICK_MS = 4;
const STARTS = [[0, 0.8], [4, 0.2]];
const SANDBOXES = [
  [-1.4, 1.004], [-0.5, 0.972], [-0.3, 1.028], [-0.2, 0.987], [-0.1, 1.013], [0.05, 0.996],
];
const SHORT_WAIT_MS = 1;
const WAKE_MS = 0.1;
const MANY_TO_A_VCPU = 8;
const ALL_HYPERTHREADS = 6;
const HYPERTHREADS_COST = 1.15;
const NEWER_FROM_MB = 2048;
const NEWER_ONLY_MB = 10240;
const NEWER_PACE = 0.8;
const EPSILON = 1e-9;
const SETTLED_PERIODS = 6;

function vcpus(memoryMb) {
  for (const [limitMb, count] of [[3008, 2], [5307, 3], [7076, 4], [8845, 5]]) {
    if (memoryMb <= limitMb) return count;
  }
  return 6;
}

function corePace(memoryMb, architecture) {
  if (architecture !== "arm64" || memoryMb <= NEWER_FROM_MB) return 1;
  const newer = Math.min(1, (memoryMb - NEWER_FROM_MB) / (NEWER_ONLY_MB - NEWER_FROM_MB));
  return 1 - newer * (1 - NEWER_PACE);
}

// How work of `width` equal threads runs on `count` vCPUs: [CPU ms, vCPUs busy] in order.
function spread(cpuMs, givenWidth, count) {
  const width = Math.max(1, givenWidth);
  if (width <= count || width > MANY_TO_A_VCPU * count) return [[cpuMs, Math.min(width, count)]];
  const whole = Math.trunc(width + EPSILON);
  const left = new Array(whole).fill(1);
  if (width - whole > EPSILON) left.push(width - whole);
  const queues = Array.from({ length: count }, (_, i) => left.filter((_rest, at) => at % count === i));
  const phases = [];
  while (queues.some((queue) => queue.length)) {
    for (const queue of queues) {
      const longest = queues.reduce((a, b) => (b.length > a.length ? b : a));
      if (!queue.length && longest.length > 1) queue.push(longest.pop());
    }
    const busy = queues.filter((queue) => queue.length);
    const took = Math.min(...busy.map((queue) => Math.min(...queue) * queue.length));
    for (const queue of busy) {
      const done = took / queue.length;
      const rest = queue.map((one) => one - done).filter((one) => one > EPSILON);
      queue.splice(0, queue.length, ...rest);
    }
    const phaseMs = (cpuMs * took * busy.length) / width;
    const before = phases.at(-1);
    if (before && before[1] === busy.length) before[0] += phaseMs;
    else phases.push([phaseMs, busy.length]);
  }
  return phases;
}

// The steps with a CPU step for each number of vCPUs that are busy.
function onCores(steps, memoryMb, architecture = "") {
  const count = vcpus(memoryMb);
  const pace = corePace(memoryMb, architecture);
  return steps.flatMap((step) => {
    if (step[0] !== "cpu") return [step];
    return spread(step[1] * pace, step[2], count).map(([cpuMs, busy]) => {
      const crowded = architecture === "x86_64" && busy >= ALL_HYPERTHREADS;
      return ["cpu", cpuMs * (crowded ? HYPERTHREADS_COST : 1), busy];
    });
  });
}

// Mean and standard deviation of the duration that AWS Lambda would take for these steps.
function durationMs(givenSteps, memoryMb, architecture = "") {
  const steps = onCores(givenSteps, memoryMb, architecture);
  let total = 0;
  let squares = 0;
  for (const [intoPeriodMs, share] of STARTS) {
    for (const [creditMs, pace] of SANDBOXES) {
      const tookMs = new Run(memoryMb, intoPeriodMs, creditMs, pace).through(steps);
      const weight = share / SANDBOXES.length;
      total += weight * tookMs;
      squares += weight * tookMs * tookMs;
    }
  }
  return [total, Math.sqrt(Math.max(0, squares - total * total))];
}

class Run {
  constructor(memoryMb, intoPeriodMs, creditMs, pace) {
    this.pace = pace;
    this.share = memoryMb / MB_PER_VCPU;
    this.quota = PERIOD_MS * this.share;
    this.intoPeriod = intoPeriodMs;
    this.freshBudget = this.budget = this.quota + creditMs;
    this.now = 0;
    this.refill = PERIOD_MS - intoPeriodMs;
    this.unchecked = this.sliceMs();
    this.late = 0;
    this.answers = new Map();
  }

  through(steps) {
    for (const [kind, first, second] of steps) {
      if (kind === "cpu") {
        this.work(first * this.pace, second);
      } else if (kind === "wait") {
        this.sleepUntil(this.now + first);
      } else if (kind === "call") {
        this.answers.set(first, this.now + second);
      } else {
        this.sleepUntil(this.answers.has(first) ? this.answers.get(first) : this.now);
        this.answers.delete(first);
      }
    }
    return this.now + this.late;
  }

  sliceMs() {
    return this.quota >= SLICE_MS ? 2 * TICK_MS : TICK_MS;
  }

  sleepUntil(moment) {
    if (moment <= this.now) return;
    const sleptMs = moment - this.now;
    this.now = moment;
    this.refillPassed();
    if (sleptMs < SHORT_WAIT_MS) return;
    if (this.budget <= EPSILON) {
      this.throttle(0);
    } else if (sleptMs >= 2 * PERIOD_MS && this.budget >= this.quota) {
      this.refill = this.now + PERIOD_MS - this.intoPeriod;
      this.budget = this.freshBudget;
    }
    this.unchecked = this.sliceMs();
  }

  refillPassed() {
    if (this.refill > this.now + EPSILON) return;
    const periods = Math.trunc((this.now + EPSILON - this.refill) / PERIOD_MS) + 1;
    this.refill += periods * PERIOD_MS;
    this.budget = Math.min(this.quota, Math.min(this.budget, 0) + periods * this.quota);
  }

  work(cpuMs, width) {
    if (width <= this.share) {
      this.now += cpuMs / width;
      this.refillPassed();
      return;
    }
    let left = cpuMs;
    while (left > EPSILON) {
      const step = Math.min(left / width, this.unchecked, this.refill - this.now);
      this.now += step;
      left -= step * width;
      this.budget -= step * width;
      this.unchecked -= step;
      this.refillPassed();
      if (this.unchecked <= EPSILON) {
        if (this.budget <= EPSILON) left = this.throttle(left);
        this.unchecked = this.sliceMs();
      }
    }
  }

  throttle(left) {
    this.late = WAKE_MS;
    const settled = left - SETTLED_PERIODS * (this.quota + 2 * TICK_MS);
    if (settled > 0) {
      const periods = Math.trunc(settled / this.quota);
      this.now += periods * PERIOD_MS;
      this.refill += periods * PERIOD_MS;
      left -= periods * this.quota;
    }
    while (this.budget <= EPSILON) {
      this.now = this.refill;
      this.refillPassed();
    }
    return left;
  }
}

module.exports = { MB_PER_VCPU, durationMs, vcpus };
