"use strict";
// Steadies what invocations are reported with; dyno_meter/steady.py says how and why. A test holds
// the two together.

const crypto = require("crypto");
const fs = require("fs");
const os = require("os");
const path = require("path");

const FOLLOWS = 0.45;
const FEWEST = 12;
const LEAST_SPREAD = 0.05;
const SURE = 2;
const LATEST = 12;
const UNCERTAIN = 1.1;
const SWITCH_MS = 0.15;
const SWITCHES_SHARE = 0.2;
const RECENT = 160;
const PLAIN = 1.5;
const FEWEST_OF_SIZE = 3;
const SAME_DEMAND = 0.1;
const SAME_WIDTH = 0.25;
const LEVEL = 0.25;
const ROOMY = 0.9;

// No loop of ours: it would be slow until it is compiled, and then ten times as fast.
const ROUNDS = 4;
const DOCUMENT = JSON.stringify(
  Array.from({ length: 24 }, (_, i) => ({ id: `item-${i}`, n: i, price: i * 1.5 })),
);
const RECORD_BYTES = 48;
const READ_BYTES = RECORD_BYTES * 512;
const MOST_BYTES = RECORD_BYTES * 65536;
const VOLATILE = /[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{16,}|\d{10,}|\d\d:\d\d:\d\d/g;
const NORMALISED_LENGTH = 65536;
const KEPT_SPINS = 15;
const FASTER = 0.95;

const { cpuUsage } = process;
const { parse, stringify } = JSON;

function halfMs() {
  const begin = cpuUsage();
  for (let round = 0; round < ROUNDS; round += 1) stringify(parse(DOCUMENT));
  const { user, system } = cpuUsage(begin);
  return (user + system) / 1000;
}

function spinMs() {
  parse(DOCUMENT);
  return 2 * Math.min(halfMs(), halfMs());
}

const switches = () => process.resourceUsage().involuntaryContextSwitches;

function quantile(values, share) {
  const ordered = [...values].sort((a, b) => a - b);
  const place = share * (ordered.length - 1);
  const low = Math.trunc(place);
  const high = Math.min(low + 1, ordered.length - 1);
  return ordered[low] + (ordered[high] - ordered[low]) * (place - low);
}

const spinOf = (sample) => (sample.beforeMs + sample.afterMs) / 2;

function bySize(samples) {
  const sizes = new Map();
  for (const sample of samples) {
    if (!sizes.has(sample.memoryMb)) sizes.set(sample.memoryMb, []);
    sizes.get(sample.memoryMb).push(sample);
  }
  return sizes;
}

// How CPU time follows the core; null where these samples do not tell.
function slope(samples) {
  const rows = [];
  for (const members of bySize(samples).values()) {
    const most = PLAIN * quantile(members.map((one) => one.cpuMs / spinOf(one)), 0.5);
    const plain = members
      .filter((one) => one.cpuMs <= most * spinOf(one))
      .map((one) => [one.beforeMs, one.afterMs, one.cpuMs].map(Math.log));
    const means = [0, 1, 2].map((i) => plain.reduce((sum, row) => sum + row[i], 0) / plain.length);
    for (const row of plain) rows.push(row.map((x, i) => x - means[i]));
  }
  const sum = (of) => rows.reduce((total, row) => total + of(row), 0);
  const common = sum(([before, after]) => before * after);
  if (rows.length < FEWEST || common < rows.length * LEAST_SPREAD ** 2) return null;
  const found = sum(([before, after, cpu]) => ((before + after) / 2) * cpu) / common;
  const rest = sum(([before, after, cpu]) => (cpu - (found * (before + after)) / 2) ** 2);
  const error = Math.sqrt(rest / rows.length / common);
  return Math.abs(found - FOLLOWS) > SURE * error ? found : null;
}

function slowness(samples, referenceMs, now, known) {
  const follows = now === null ? known : now;
  if (follows !== null && follows <= FOLLOWS) return () => 1;
  if (now === null) {
    const latest = quantile(samples.slice(-LATEST).map(spinOf), 0.5) / referenceMs;
    const beyond = Math.max(1, latest / UNCERTAIN) * Math.min(1, latest * UNCERTAIN);
    return () => beyond;
  }
  return (sample) => spinOf(sample) / referenceMs;
}

// {cpuMs, pooledMb}: what an invocation is reported with, and the sizes that it is pooled from.
function estimate(samples, own, referenceMs, now, known = null) {
  const slow = slowness(samples, referenceMs, now, known);
  const cpuMs = own.cpuMs / slow(own);
  const sizes = [...bySize(samples)]
    .filter(([, members]) => members.length >= FEWEST_OF_SIZE)
    .map(([memoryMb, members]) => {
      const demands = members.map((one) => one.cpuMs / slow(one));
      const width = quantile(members.map((one) => one.width), 0.5);
      return { memoryMb, demands, level: quantile(demands, 0.5), width };
    });
  const mine = sizes.find((size) => size.memoryMb === own.memoryMb);
  if (!mine) return { cpuMs, pooledMb: [] };
  const middle = quantile(sizes.map((size) => size.level), 0.5);
  const alike = sizes.filter((size) => {
    const isSame = Math.abs(size.level / middle - 1) <= SAME_DEMAND;
    return isSame && Math.abs(size.width - own.width) <= SAME_WIDTH;
  });
  if (!alike.includes(mine) || alike.length < 2) return { cpuMs, pooledMb: [] };
  const level = quantile(alike.flatMap((size) => size.demands), LEVEL);
  const pooledMb = alike.map((size) => size.memoryMb).sort((a, b) => a - b);
  return { cpuMs: (level * cpuMs) / mine.level, pooledMb };
}

// A number in a file that outlives this process, if there is a place for it.
class Kept {
  constructor(folder, name) {
    this.path = folder ? path.join(folder, name) : "";
  }

  read() {
    try {
      const text = fs.readFileSync(this.path, "latin1").trim();
      const value = text ? Number(text) : NaN;
      return Math.abs(value) < 1e3 ? value : null;
    } catch {
      return null;
    }
  }

  write(value) {
    if (!this.path) return;
    const beside = `${this.path}.${process.pid}`;
    try {
      fs.writeFileSync(beside, `${value.toFixed(6)}\n`);
      fs.renameSync(beside, this.path);
    } catch {
      // nowhere to keep it
    }
  }
}

const hash = (text) => crypto.createHash("sha256").update(text).digest("hex");

class Steadier {
  constructor(folder, fn, code, machine) {
    this.folder = folder;
    this.path = path.join(folder, hash(`${fn}\n${code}`));
    this.slope = new Kept(machine, `slope-${hash(code).slice(0, 16)}`);
    const core = (os.cpus()[0] || {}).model || "";
    this.reference = new Kept(machine, `spin-${hash(`node-${process.version} ${core}`).slice(0, 16)}`);
    this.spins = [];
    this.referenceMs = 0;
    this.pooledMb = [];
  }

  begin(line) {
    let event = line.slice(0, Math.max(0, line.lastIndexOf(', "ctx": {')));
    if (event.length <= NORMALISED_LENGTH) event = event.replace(VOLATILE, "#");
    this.event = crypto.createHash("sha256").update(event).digest().subarray(0, 8);
    this.pooledMb = [];
    this.beforeMs = spinMs();
    this.switches = switches();
  }

  // What an invocation's CPU time is to be multiplied with, after its end.
  scale(memoryMb, cpuMs, width, peakMb) {
    const switchedMs = SWITCH_MS * (switches() - this.switches);
    const aloneMs = cpuMs - Math.min(switchedMs, SWITCHES_SHARE * cpuMs);
    const own = { memoryMb, cpuMs: aloneMs, width, beforeMs: this.beforeMs, afterMs: spinMs() };
    const referenceMs = this.look(spinOf(own));
    if (Math.min(cpuMs, own.beforeMs, own.afterMs) <= 0 || peakMb > ROOMY * memoryMb) return 1;
    let samples;
    try {
      this.append(own);
      samples = this.read();
    } catch {
      return 1;
    }
    const now = slope(samples);
    const known = this.slope.read();
    if (now !== null && (known === null || now > FOLLOWS !== known > FOLLOWS)) this.slope.write(now);
    const found = estimate(samples, own, referenceMs, now, known);
    this.pooledMb = found.pooledMb;
    return found.cpuMs / cpuMs;
  }

  // A spin on a core at its usual speed: given up only for one that is clearly less.
  look(spin) {
    const kept = () => Math.max(0, this.reference.read() || 0);
    this.spins.push(spin);
    if (!this.referenceMs) this.referenceMs = kept();
    if (this.spins.length >= KEPT_SPINS) {
      const leastMs = quantile(this.spins, LEVEL);
      this.spins = [];
      this.referenceMs = kept();
      if (!this.referenceMs || leastMs < FASTER * this.referenceMs) {
        this.referenceMs = leastMs;
        this.reference.write(leastMs);
      }
    }
    return this.referenceMs || quantile(this.spins, LEVEL);
  }

  append(own) {
    const record = Buffer.alloc(RECORD_BYTES);
    this.event.copy(record);
    [own.memoryMb, own.cpuMs, own.width, own.beforeMs, own.afterMs].forEach((value, i) => {
      record.writeDoubleLE(value, 8 + 8 * i);
    });
    fs.mkdirSync(this.folder, { recursive: true });
    const file = fs.openSync(this.path, "a", 0o600);
    try {
      if (fs.fstatSync(file).size > MOST_BYTES) fs.ftruncateSync(file, 0);
      fs.writeSync(file, record);
    } finally {
      fs.closeSync(file);
    }
  }

  read() {
    const file = fs.openSync(this.path, "r");
    try {
      const { size } = fs.fstatSync(file);
      const whole = size - (size % RECORD_BYTES);
      const length = Math.min(whole, READ_BYTES);
      const content = Buffer.alloc(length);
      fs.readSync(file, content, 0, length, whole - length);
      const samples = [];
      for (let at = 0; at < length; at += RECORD_BYTES) {
        if (!content.subarray(at, at + 8).equals(this.event)) continue;
        const [memoryMb, cpuMs, width, beforeMs, afterMs] = [8, 16, 24, 32, 40].map((offset) =>
          content.readDoubleLE(at + offset),
        );
        samples.push({ memoryMb, cpuMs, width, beforeMs, afterMs });
      }
      return samples.slice(-RECENT);
    } finally {
      fs.closeSync(file);
    }
  }
}

module.exports = { Steadier, estimate, slope };
