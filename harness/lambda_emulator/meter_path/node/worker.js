"use strict";
// Meters the invocations of one worker; see dyno_meter/meter.py.

const path = require("path");
const util = require("util");

const { Answer } = require("./answer.js");
const { Calls } = require("./calls.js");
const { durationMs } = require("./cfs.js");
const { cpuUsage, loopUtilization, now } = require("./clocks.js");
const faults = require("./faults.js");
const { LatencyModel } = require("./latency.js");
const { Remaining } = require("./remaining.js");
const { awslambda, buffered, streams } = require("./streaming.js");
const { spinMs } = require("./spin.js");
const surroundings = require("./surroundings.js");
const { Timeline } = require("./timeline.js");
const { Probe } = require("./usage.js");

// functions may replace these
const writeLog = process.stdout.write.bind(process.stdout);
const later = setTimeout;
const cancel = clearTimeout;

// A loop that was active for less than this between two looks has done nothing of the function's:
// if it queued for a core, that was for the second look.
const IDLE_MS = 2;
const LOOK_EVERY_MS = 50;
const READ_EVERY_MS = 10; // while threads or processes run that may end unseen

class Meter {
  constructor(channel) {
    this.channel = channel;
    this.probe = new Probe();
    this.timeline = new Timeline(() => this.probe.read());
    this.answer = new Answer();
    this.running = false;
    this.initialised = false;
    this.settings = {};
    process.on("uncaughtException", (error) => this.uncaught(error));
    process.on("unhandledRejection", (reason) => this.uncaught(faults.rejection(reason)));
  }

  say(told) {
    this.channel.write(JSON.stringify({ dyno: told }) + "\n");
  }

  // Init

  async load({ dyno, ...init }) {
    this.init = init;
    this.settings = dyno.settings;
    this.memoryMb = Number(init.memory || 128);
    surroundings.showCpus(this.memoryMb);
    this.architecture = dyno.architecture;
    surroundings.showArchitecture(this.architecture);
    this.asJson = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";
    if (dyno.port) {
      this.calls = new Calls(this.timeline, new LatencyModel(dyno.seed, this.memoryMb), dyno.port);
      this.calls.enabled = this.latencyModelled;
      this.calls.install();
    }
    this.markTimers();
    const cpu = cpuUsage();
    this.startCpuMs = (cpu.user + cpu.system) / 1000;
    this.timeline.begin();
    return { ...init, module: path.join(__dirname, "entry"), handler: "handler" };
  }

  get latencyModelled() {
    return this.settings.aws_latency !== "measured";
  }

  async loadHandler() {
    const { code_dir: folder, module, handler: name, snapstart } = this.init;
    let found;
    globalThis.awslambda = awslambda;
    try {
      const handler = await faults.load(folder, module, name);
      this.streams = streams(handler);
      found = buffered(handler, () => this.asBytes);
    } catch (error) {
      if (snapstart) throw error; // a version that cannot be loaded is not published
      this.errorAtLoad = true;
      found = async () => {
        throw error;
      };
    }
    const meter = this;
    // three parameters: the worker waits for the third to be called
    return (event, context, settle) => {
      surroundings.completeContext(context, () => meter.remaining.ms());
      const failed = (error) => {
        meter.error = faults.describe(error);
      };
      try {
        meter.answer.of(found, event, context, settle, failed, (error) => meter.refuse(error));
      } catch (error) {
        failed(error);
        settle(error);
      }
    };
  }

  loaded() {
    this.timeline.end();
    this.initialised = true;
    this.say({ start_cpu_ms: this.startCpuMs, steps: this.timeline.steps() });
  }

  // an invocation

  start(context) {
    this.requestId = context.request_id || "";
    this.settings = context.dyno;
    this.asBytes = Boolean((context.durable || {}).DYNO_STREAM);
    if (this.calls) this.calls.begin(this.latencyModelled);
    this.error = null; // type, message and stack of what the handler fails with
    this.running = true;
    this.beforeMs = this.settings.steady === false ? 0 : spinMs();
    this.timeline.begin();
    const timeoutMs = Number(context.timeout_ms || 3000);
    this.remaining = new Remaining(timeoutMs, this.memoryMb, () => this.elapsedMs());
    this.lookAgain();
  }

  // What to write in the place of an answer of the worker's.
  answering(text) {
    if (!text.startsWith('{"status"')) return text;
    if (!this.initialised) this.loaded();
    else if (this.running) return this.end(text);
    return text;
  }

  end(text) {
    this.timeline.end();
    this.running = false;
    cancel(this.sampler);
    const told = { steps: this.timeline.steps(), wall_ms: now() - this.timeline.beginWallMs };
    if (!this.probe.hasSchedstat) told.measured_by = "rusage";
    if (process.platform !== "linux") told.peak_kb = process.resourceUsage().maxRSS;
    if (this.beforeMs) told.spins_ms = [this.beforeMs, spinMs()];
    told.streamed = Boolean(this.streams);
    told.failed = text.startsWith('{"status":"error"');
    const answer = told.failed ? this.logError(text) : text;
    this.say(told);
    return answer;
  }

  // The worker has tried to write an answer, and may not try again.
  refuse(error) {
    if (!this.running) return;
    this.channel.write(this.end(JSON.stringify({ status: "error", error: error.message, trace: "" })));
  }

  lookAgain() {
    const pauseMs = this.probe.sideBySide ? READ_EVERY_MS : LOOK_EVERY_MS;
    const since = {
      queueMs: this.probe.last.mainQueueMs,
      loop: loopUtilization(),
    };
    this.sampler = later(() => this.look(since), pauseMs).unref();
  }

  // The main thread is idle while its timers fire: there is a wait to be kept in one piece, unless
  // other threads or processes work.
  look(since) {
    const before = cpuUsage();
    const idle = loopUtilization(since.loop).active < IDLE_MS;
    if (this.probe.sideBySide && this.timeline.ageMs() >= LOOK_EVERY_MS - 1) {
      this.timeline.mark();
    } else {
      // what is in the timeline since the last look has been told already
      const known = Math.max(since.queueMs, this.timeline.last.mainQueueMs);
      const queuedMs = Math.max(0, this.probe.read().mainQueueMs - known);
      this.timeline.forgive(before, idle ? queuedMs : 0);
    }
    this.lookAgain();
  }

  steps() {
    const factor = this.cpuFactor();
    const steps = this.timeline.steps();
    if (factor === 1) return steps;
    return steps.map((step) => (step[0] === "cpu" ? ["cpu", step[1] * factor, step[2]] : step));
  }

  cpuFactor() {
    return Number((this.settings.cpu_factor || {})[this.architecture] || 1);
  }

  // What the invocation would have taken on AWS so far.
  elapsedMs() {
    return this.timeline.leaveOut(() => durationMs(this.steps(), this.memoryMb, this.architecture)[0]);
  }

  logError(text, title = "Invoke Error") {
    const answer = JSON.parse(text);
    // context.fail() and what cannot be JSON: the answer says all that is known
    const error = this.error || { errorType: "Error", errorMessage: answer.error, stack: (answer.trace || "").split("\n") };
    writeLog(faults.errorLine(this.requestId, title, error, this.asJson));
    // what cannot be loaded is loaded again; else the environment goes on
    return this.failure(error, this.errorAtLoad ? "error" : "ok");
  }

  failure({ errorType, errorMessage, stack }, status) {
    const told = { errorType, errorMessage, trace: stack };
    return JSON.stringify({ status, error: errorMessage, trace: "", told }) + "\n";
  }

  // An error that nobody caught: it is logged, and the process ends.
  uncaught(error) {
    const told = faults.describe(error);
    const title = this.running ? faults.titleOf(told) : "Uncaught Exception";
    writeLog(faults.errorLine(this.requestId || "", title, told, this.asJson));
    if (!this.running) process.reallyExit(faults.exitStatusOf(told));
    this.timeline.end();
    this.running = false;
    this.say({ steps: this.timeline.steps(), failed: true });
    this.channel.write(this.failure(told, "error"));
  }

  // A timer is a call that is answered after its delay: a busy machine that lets the function come
  // late to its wait does not make the wait shorter, and work meanwhile is not added to it.
  markTimers() {
    const meter = this;
    const begin = (delayMs) => meter.timeline.timer(delayMs);
    const promises = require("timers/promises");
    const sleep = promises.setTimeout;
    promises.setTimeout = (delayMs, ...rest) => {
      const key = begin(delayMs);
      return sleep(delayMs, ...rest).finally(() => meter.timeline.timerFired(key));
    };
    const { wait } = Atomics;
    Atomics.wait = (array, index, value, delayMs) => {
      const key = begin(delayMs);
      const ended = wait(array, index, value, delayMs);
      if (ended === "timed-out") meter.timeline.timerFired(key);
      return ended;
    };
    for (const name of ["setTimeout", "setInterval"]) {
      const original = globalThis[name];
      const marking = function (callback, delayMs, ...rest) {
        if (typeof callback !== "function") return original(callback, delayMs, ...rest);
        let key = begin(delayMs);
        return original(function (...parameters) {
          meter.timeline.timerFired(key);
          if (name === "setInterval") key = begin(delayMs);
          return callback.apply(this, parameters);
        }, delayMs, ...rest);
      };
      const { [util.promisify.custom]: promised, ...others } = Object.getOwnPropertyDescriptors(original);
      if (promised) others[util.promisify.custom] = { ...promised, get: () => promises[name] };
      Object.defineProperties(marking, others);
      globalThis[name] = marking;
      require("timers")[name] = marking;
    }
  }
}

module.exports = { Meter };
