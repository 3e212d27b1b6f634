// One process of a load test: some of its users, and a measure of how busy it was itself.

import { performance } from 'node:perf_hooks';

import { allowOnly, told } from './allowed.mjs';
import { loopOf } from './loops.mjs';
import { userOf } from './mixed-user.mjs';
import { renew } from './renewed.mjs';
import { SampleFile } from './samples.mjs';
import { loadScenarios, Turns, wantedTokens } from './scenarios.mjs';
import { guardStderr } from './secrets.mjs';
import { standIns } from './tokens.mjs';
import { startUsage } from './usage.mjs';
import { warmUp } from './warmup.mjs';

const PROGRESS_MS = 1000;
const GIVE_UP_MS = 5000; // after the end, for scripts that go on

const tell = (message) =>
  new Promise((resolve) => {
    if (process.connected) process.send(message, resolve);
    else resolve();
  });

process.on('message', (message) => HANDLERS[message.type](message).catch(fail));
process.on('disconnect', () => leave()); // the parent is gone
process.on('SIGINT', () => leave());
process.on('SIGTERM', () => leave());

const HANDLERS = { warmUp, prepare, go, renewed: async ({ values }) => renew(values) };
guardStderr();
let counts = { requests: 0, errors: 0, iterations: 0 };
let loop;
let samples;
let users = [];
let durationMs;
let requestTimeoutMs;
let kept = false;
let stopping = false;

/** Time since the test began, which all processes agree on. */
const clock = {
  beganAt: 0,
  now: () => performance.timeOrigin + performance.now() - clock.beganAt,
  until: (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - clock.now()))),
};

async function prepare({ config, plan, number, processes, samplesPath }) {
  allowOnly(config.allowed);
  samples = new SampleFile(samplesPath);
  counts = { requests: 0, errors: 0, iterations: 0 };
  users = [];
  kept = config.kept && !config.only_port;
  loop = loopOf(plan);
  durationMs = config.duration_ms;
  requestTimeoutMs = config.request_timeout_ms;
  const scenarios = await loadScenarios(config);
  if (config.only_port) {
    leaveProxies();
    renew(standIns(wantedTokens(config, scenarios)));
  }
  const turns = new Turns(scenarios.map(({ weight }) => weight), number);
  const longestMs = durationMs + requestTimeoutMs;
  const settings = { scenarios, requestTimeoutMs, longestMs, clock, onlyPort: config.only_port };
  for (let position = 0; position < loop.users; position += 1) {
    const user = userOf(number + position * processes, settings, loop, keep, turns);
    await user.prepare();
    users.push(user);
  }
  await warmUp();
  await tell({ type: 'ready' });
}

/** A proxy would be asked for the address that only the user's own test may reach. */
function leaveProxies() {
  for (const name of Object.keys(process.env)) {
    if (/_proxy$/i.test(name)) delete process.env[name];
  }
}

function keep(sample) {
  counts.requests += 1;
  if (sample.error) counts.errors += 1;
  samples.add(sample);
}

async function go({ at }) {
  clock.beganAt = at;
  await clock.until(0);
  const usage = startUsage();
  const progress = setInterval(() => tell({ type: 'progress', ...counts, ...busy() }), PROGRESS_MS);
  const last = setTimeout(cutOff, durationMs + requestTimeoutMs);
  const givenUp = giveUpLate();
  const orderly = await Promise.race([loop.run(users, clock).then(() => true), givenUp.after]);
  givenUp.cancel();
  clearInterval(progress);
  clearTimeout(last);
  samples.close();
  samples = undefined;
  counts.iterations = users.reduce((sum, user) => sum + user.iterations, 0);
  const stays = kept && orderly; // a script that goes on would disturb the next test
  const facts = { ...counts, ...busy(), elapsed_s: clock.now() / 1000, ...usage(), ...told() };
  users = [];
  await tell({ type: 'done', stays, ...facts });
  if (!stays) process.exit(0);
}

const busy = () => ({ active: users.filter((user) => user.busy).length });

/** A request that is under way at the end still has its time-out; nothing begins after that. */
function cutOff() {
  // an iteration that a user was just about to begin is as unserved as one that found nobody
  const about = loop.countsWaits ? users.filter((user) => user.withdraw()) : [];
  const dues = [...about.map((user) => user.dueMs), ...loop.unserved()];
  for (const due of dues) keep(neverSent(due));
  users.forEach((user) => user.stop());
}

/** Gives up users whose scripts go on, some time after the end, unless that is cancelled. */
function giveUpLate() {
  const late = {};
  late.after = new Promise((resolve) => {
    const timer = setTimeout(() => {
      users.forEach((user) => user.giveUp());
      resolve(false);
    }, durationMs + requestTimeoutMs + GIVE_UP_MS - clock.now());
    late.cancel = () => clearTimeout(timer);
  });
  return late;
}

function neverSent(due) {
  const nothing = { latency_ms: 0, user: -1, iteration: -1, request: '', status: 0 };
  return { start_ms: due, ...nothing, wait_ms: clock.now() - due, error: 'unserved' };
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
  await tell({ type: 'stopped', ...counts, ...busy() });
  process.exit(0);
}
