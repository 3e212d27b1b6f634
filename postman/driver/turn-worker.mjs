// One process of a load test in turns: its share of the users of every version.

import { performance } from 'node:perf_hooks';

import { TurnLoop } from './loops.mjs';
import { userOf } from './mixed-user.mjs';
import { withAddress } from './newman.mjs';
import { renew } from './renewed.mjs';
import { SampleFile } from './samples.mjs';
import { loadScenarios, Turns } from './scenarios.mjs';
import { guardStderr } from './secrets.mjs';
import { startUsage } from './usage.mjs';
import { warmUp } from './warmup.mjs';

process.on('message', (message) => HANDLERS[message.type](message).catch(fail));
process.on('disconnect', () => process.exit(0)); // the parent is gone
process.on('SIGINT', () => leave());
process.on('SIGTERM', () => leave());

const HANDLERS = { prepare, turn, renewed: async ({ values }) => renew(values) };
guardStderr();
const usersOf = {}; // by version
let loop;
let samples;

/** Time since the turn began, which all processes agree on. */
const clock = {
  beganAt: 0,
  now: () => performance.timeOrigin + performance.now() - clock.beganAt,
  until: (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - clock.now()))),
};

async function prepare({ config, number, processes }) {
  loop = new TurnLoop(config.pacing_ms);
  const { users, pacing_ms: pacingMs, targets, request_timeout_ms: requestTimeoutMs } = config;
  const loaded = await loadScenarios(config);
  for (const [version, baseUrl] of Object.entries(targets)) {
    const scenarios = loaded.map((one) => ({ ...one, inputs: withAddress(one.inputs, baseUrl) }));
    const settings = { scenarios, requestTimeoutMs, clock };
    // the same for each version: they differ in nothing but their answers
    const turns = new Turns(scenarios.map(({ weight }) => weight), number);
    usersOf[version] = [];
    for (let index = number; index < users; index += processes) {
      const user = userOf(index, settings, loop, (sample) => samples.add(sample), turns);
      await user.prepare();
      user.ended.catch(fail);
      // evenly over the first pace, so that they do not all ask at once
      usersOf[version].push({ user, beginMs: (index * pacingMs) / users });
    }
  }
  await warmUp();
  process.send({ type: 'ready' });
}

async function turn({ target, at, durationMs, warmUpMs, samplesPath }) {
  clock.beganAt = at;
  samples = new SampleFile(samplesPath);
  await clock.until(0);
  const usage = clock.until(warmUpMs).then(startUsage);
  await loop.turn(usersOf[target], clock, durationMs);
  const elapsed_s = clock.now() / 1000;
  samples.close();
  process.send({ type: 'turned', elapsed_s, ...(await usage)() });
}

function fail(error) {
  console.error(error.message);
  samples?.flush();
  process.exit(1);
}

function leave() {
  samples?.flush();
  process.exit(0);
}
