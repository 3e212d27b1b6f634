// One process of a load test: some of its users, and a measure of how busy it was itself.

import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

import { environmentOf, readCollection } from './newman.mjs';
import { SampleFile } from './samples.mjs';
import { User } from './user.mjs';
import { warmUp } from './warmup.mjs';

const PROGRESS_MS = 1000;
const LOOP_RESOLUTION_MS = 5;

const tell = (message) =>
  new Promise((resolve) => {
    if (process.connected) process.send(message, resolve);
    else resolve();
  });
const epochMs = () => performance.timeOrigin + performance.now();
const counts = { requests: 0, errors: 0, active: 0, iterations: 0 };
let samples;

process.on('message', (message) => HANDLERS[message.type](message).catch(fail));
process.on('disconnect', () => leave()); // the parent is gone
process.on('SIGINT', () => leave());
process.on('SIGTERM', () => leave());

const HANDLERS = { prepare, go };
let users = [];
let settings;
let beganAt = 0;
let stopping = false;

async function prepare({ config, indices, samplesPath }) {
  samples = new SampleFile(samplesPath);
  settings = {
    collection: readCollection(config),
    environment: environmentOf(config),
    pacingMs: config.pacing_ms,
    requestTimeoutMs: config.request_timeout_ms,
    rampMs: config.ramp_up_s * 1000,
    durationMs: config.duration_s * 1000,
    users: config.virtual_users,
    offsetMs: () => epochMs() - beganAt,
    mayGoOn: (waitMs) => !stopping && settings.offsetMs() + waitMs < settings.durationMs,
  };
  users = indices.map((index) => new User(index, settings, keep));
  for (const [position, user] of users.entries()) {
    await user.prepare();
    user.startMs = (indices[position] * settings.rampMs) / settings.users;
  }
  await warmUp(settings);
  await tell({ type: 'ready' });
}

function keep(sample) {
  counts.requests += 1;
  if (sample.error) counts.errors += 1;
  samples.add(sample);
}

async function go({ at }) {
  beganAt = at;
  const usage = startUsage();
  const progress = setInterval(() => tell({ type: 'progress', ...counts }), PROGRESS_MS);
  // A request that is under way at the end still has its time-out; an iteration does not
  // begin another one after that.
  const last = setTimeout(
    () => users.forEach((user) => user.stop()),
    at - epochMs() + settings.durationMs + settings.requestTimeoutMs,
  );
  await Promise.all(users.map((user) => live(user)));
  clearInterval(progress);
  clearTimeout(last);
  samples.close();
  counts.iterations = users.reduce((sum, user) => sum + user.iterations, 0);
  await tell({ type: 'done', ...counts, elapsed_s: settings.offsetMs() / 1000, ...usage() });
  process.exit(0);
}

async function live(user) {
  const wait = beganAt + user.startMs - epochMs();
  await new Promise((resolve) => setTimeout(resolve, Math.max(wait, 0)));
  counts.active += 1;
  user.begin();
  await user.ended;
  counts.active -= 1;
}

/** Starts measuring this process; the function it returns gives the figures. */
function startUsage() {
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  loop.enable();
  const cpu = process.cpuUsage();
  const from = performance.now();
  return () => {
    loop.disable();
    const used = process.cpuUsage(cpu);
    // the monitor counts its own period as delay
    const beyond = (ns) => Math.max(0, ns / 1e6 - LOOP_RESOLUTION_MS);
    return {
      cpu_ratio: (used.user + used.system) / 1000 / (performance.now() - from),
      loop_delay_p50_ms: beyond(loop.percentile(50)),
      loop_delay_p99_ms: beyond(loop.percentile(99)),
      max_rss_mb: process.resourceUsage().maxRSS / 1024,
    };
  };
}

function fail(error) {
  console.error(error.message);
  samples?.close();
  process.exit(1);
}

async function leave() {
  if (stopping) return;
  stopping = true;
  samples?.close();
  await tell({ type: 'stopped', ...counts });
  process.exit(0);
}
