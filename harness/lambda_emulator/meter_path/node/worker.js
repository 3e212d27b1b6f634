"use strict";

const fs = require("fs");
const path = require("path");
const readline = require("readline");

const { Calls } = require("./calls.js");
const faults = require("./faults.js");
const { durationMs } = require("./cfs.js");
const { LatencyModel } = require("./latency.js");
const { errorLine, reportLines, startLine } = require("./report.js");
const surroundings = require("./surroundings.js");
const { Timeline } = require("./timeline.js");
const { Probe, maxMemoryMb } = require("./usage.js");

// the worker replaces these
const writeSync = fs.writeSync.bind(fs);
const writeAnswer = process.stdout.write.bind(process.stdout);
const later = setTimeout;
const cancel = clearTimeout;

const FULL_CPU_MB = 10240; // Init is not throttled
const EARLIER_MS = 25; // the embedded AWS starts its own clock before it writes the invocation
// A loop that was active for less than this between two looks has done nothing of the function's:
// if it queued for a core, that was for the second look.
const IDLE_MS = 2;
const LATE_MS = 1; // what timers and the scheduler take is no lateness
const LOOK_EVERY_MS = 50;
const READ_EVERY_MS = 10; // while threads or processes run that may end unseen

class Meter {
  constructor() {
    this.settingsPath = process.env.DYNO_METER;
    this.port = Number(process.env.GATEWAY_PORT || 0);
    this.probe = new Probe();
    this.timeline = new Timeline(() => this.probe.read());
    this.logged = []; // what the log gets when the invocation ends
    this.running = false;
    this.initMs = null;
    this.initialised = false;
    this.version = process.env.AWS_LAMBDA_FUNCTION_VERSION || "$LATEST";
    this.readSettings();
    this.interceptStreams();
    process.on("exit", () => this.exiting());
    process.on("uncaughtException", (error) => this.uncaught(error));
    process.on("unhandledRejection", (reason) => this.uncaught(faults.rejection(reason)));
  }

  // settings

  readSettings() {
    let content = {};
    try {
      const status = fs.statSync(this.settingsPath);
      const seen = `${status.mtimeMs}:${status.ino}`;
      if (seen === this.settingsSeen) return;
      this.settingsSeen = seen;
      content = JSON.parse(fs.readFileSync(this.settingsPath, "utf8"));
    } catch {
      // none, or being written: the defaults
    }
    this.felt = content.mode !== "reported";
    this.latencyModelled = content.aws_latency !== "measured";
    this.cpuFactors = content.cpu_factor || {};
    this.seed = String(content.seed || 0);
    this.memoryLimit = content.memory_limit !== false;
    this.trace = content.trace || "";
  }

  // Counts an answer: see dyno_meter/answers.py.
  noteAnswer(lateMs) {
    const late = lateMs > LATE_MS;
    const cold = this.initMs !== null;
    const kind = cold ? (late ? "C" : "c") : late ? "l" : ".";
    try {
      const folder = path.join(path.dirname(this.settingsPath), "answers");
      fs.mkdirSync(folder, { recursive: true });
      const name = path.basename(process.env.AWS_LAMBDA_FUNCTION_NAME || "");
      fs.appendFileSync(path.join(folder, name), kind, { mode: 0o600 });
    } catch {
      // a full disk is no reason to fail an invocation
    }
  }

  // What a new sandbox draws by, another one than all before it: a file gets a byte for each
  // (two that start in the same instant may share a number).
  sandboxSeed(functionName) {
    let number = 0;
    try {
      const folder = path.join(path.dirname(this.settingsPath), "sandboxes");
      fs.mkdirSync(folder, { recursive: true });
      const file = path.join(folder, path.basename(functionName));
      fs.appendFileSync(file, ".", { mode: 0o600 });
      number = fs.statSync(file).size;
    } catch {
      // nowhere to count
    }
    return `${this.seed}:${functionName}:${number}`;
  }

  // streams

  interceptStreams() {
    const meter = this;
    process.stdout.write = function (text, ...rest) {
      if (typeof text === "string" && text.startsWith('{"status"')) {
        meter.answering(text);
        return true;
      }
      return writeAnswer(text, ...rest);
    };
    // Log lines are kept until the end: the embedded AWS takes the log as it is a few
    // milliseconds after the answer, and one write reaches it as a whole.
    process.stderr.write = function (chunk, encoding, callback) {
      meter.logged.push(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString());
      const done = typeof encoding === "function" ? encoding : callback;
      if (done) process.nextTick(done);
      return true;
    };
    const createInterface = readline.createInterface;
    readline.createInterface = function (...parameters) {
      readline.createInterface = createInterface;
      const lines = createInterface.apply(readline, parameters);
      const on = lines.on.bind(lines);
      lines.on = (name, listener) => on(name, name === "line" ? meter.reading(listener) : listener);
      return lines;
    };
  }

  reading(listener) {
    let first = true;
    return (line) => {
      if (first) {
        first = false;
        this.load(JSON.parse(line)).then((init) => listener(JSON.stringify(init)));
        return;
      }
      this.start(contextOf(line));
      listener(line);
    };
  }

  flushLog(text) {
    const last = this.logged.length ? this.logged[this.logged.length - 1] : "\n";
    const all = this.logged.join("") + (last.endsWith("\n") ? "" : "\n") + text;
    this.logged = [];
    let data = Buffer.from(all);
    while (data.length) {
      try {
        data = data.subarray(writeSync(2, data));
      } catch (error) {
        if (error.code !== "EAGAIN") return; // a full pipe: the embedded AWS is busy
      }
    }
  }

  // Init

  async load(init) {
    this.init = init;
    this.memoryMb = Number(init.memory || 128);
    const arn = init.arn || "";
    const configuration = init.snapstart
      ? {}
      : await surroundings.functionConfiguration(arn, this.version, this.port);
    surroundings.prepareEnvironment(`${init.module}.${init.handler}`, configuration);
    surroundings.showCpus(this.memoryMb);
    this.architecture = (configuration.Architectures || ["x86_64"])[0];
    surroundings.showArchitecture(this.architecture);
    this.asJson = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";
    if (this.port) {
      const latency = new LatencyModel(this.sandboxSeed(init.function_name || ""));
      this.calls = new Calls(this.timeline, latency, this.port);
      this.calls.enabled = this.latencyModelled;
      this.calls.install();
    }
    this.markTimers();
    const cpu = process.cpuUsage();
    this.startCpuMs = (cpu.user + cpu.system) / 1000;
    this.timeline.begin();
    return { ...init, module: path.join(__dirname, "entry"), handler: "handler" };
  }

  async loadHandler() {
    const { code_dir: folder, module, handler: name, snapstart } = this.init;
    let found;
    try {
      found = await faults.load(folder, module, name);
    } catch (error) {
      if (snapstart) throw error; // a version that cannot be loaded is not published
      found = async () => {
        throw error;
      };
    }
    const meter = this;
    const tell = (error) => {
      meter.error = faults.describe(error);
      throw error;
    };
    const handler = function (event, context, callback) {
      surroundings.completeContext(context, () => meter.remainingMs());
      const answering = callback && ((error, ...rest) => {
        if (error) meter.error = faults.describe(error);
        return callback(error, ...rest);
      });
      try {
        const result = found.call(this, event, context, answering);
        return result && typeof result.then === "function" ? result.then(undefined, tell) : result;
      } catch (error) {
        return tell(error);
      }
    };
    Object.defineProperty(handler, "length", { value: found.length });
    return handler;
  }

  loaded(text) {
    this.timeline.end();
    this.initialised = true;
    this.initMs = this.startCpuMs * this.cpuFactor() + durationMs(this.steps(), FULL_CPU_MB)[0];
    writeAnswer(text);
  }

  // an invocation

  start(context) {
    this.requestId = context.request_id || "";
    this.timeoutMs = Number(context.timeout_ms || 3000);
    this.readSettings();
    if (this.calls) this.calls.enabled = this.latencyModelled;
    this.error = null; // type, message and stack of what the handler fails with
    this.running = true;
    this.logged.push(startLine(this.requestId, this.version, this.asJson));
    this.deadline = later(() => this.timeOut(), Math.max(1, this.timeoutMs - EARLIER_MS));
    this.timeline.begin();
    this.lookAgain();
  }

  answering(text) {
    if (!this.initialised) {
      this.loaded(text);
    } else if (this.running) {
      this.end(text);
    } else {
      writeAnswer(text);
    }
  }

  end(text) {
    this.timeline.end();
    cancel(this.sampler);
    const steps = this.steps();
    const tookMs = durationMs(steps, this.memoryMb)[0];
    if (this.trace) this.writeTrace(steps, tookMs);
    if (this.memoryLimit && maxMemoryMb() > this.memoryMb) {
      this.outOfMemory(tookMs);
      return;
    }
    if (tookMs >= this.timeoutMs) {
      if (!this.felt) this.timeOut();
      return; // else the deadline ends it
    }
    const failed = text.startsWith('{"status":"error"');
    const answer = failed ? this.logError(text) : text;
    const leftMs = this.felt ? this.timeline.beginWallMs + tookMs - performance.now() : 0;
    const answerNow = () => {
      if (!this.running) return;
      this.running = false;
      cancel(this.deadline);
      this.report(tookMs, { status: failed ? "error" : "success" });
      setImmediate(() => writeAnswer(answer)); // the log first: it goes another way
    };
    if (this.felt) this.noteAnswer(-leftMs);
    if (leftMs > 0.5) later(answerNow, leftMs);
    else answerNow();
  }

  lookAgain() {
    const pauseMs = this.probe.sideBySide ? READ_EVERY_MS : LOOK_EVERY_MS;
    const since = {
      queueMs: this.probe.last.mainQueueMs,
      loop: performance.eventLoopUtilization(),
    };
    this.sampler = later(() => this.look(since), pauseMs);
  }

  // The main thread is idle while its timers fire: there is a wait to be kept in one piece, unless
  // other threads or processes work.
  look(since) {
    const before = process.cpuUsage();
    const idle = performance.eventLoopUtilization(since.loop).active < IDLE_MS;
    if (this.probe.sideBySide && this.timeline.ageMs() >= LOOK_EVERY_MS - 1) {
      this.timeline.mark();
    } else {
      // what is in the timeline since the last look has been told already
      const known = Math.max(since.queueMs, this.timeline.last.mainQueueMs);
      const queuedMs = Math.max(0, this.probe.read().mainQueueMs - known);
      this.timeline.forgive(before, idle ? queuedMs : 0);
    }
    if (this.memoryLimit && process.memoryUsage.rss() > this.memoryMb * 1024 * 1024) {
      this.timeline.end();
      this.outOfMemory(durationMs(this.steps(), this.memoryMb)[0]);
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
    return Number(this.cpuFactors[this.architecture] || 1);
  }

  remainingMs() {
    this.timeline.mark();
    return this.timeoutMs - durationMs(this.steps(), this.memoryMb)[0];
  }

  report(tookMs, { status, errorType = "", maxMb = 0 }) {
    const lines = reportLines(this.requestId, {
      durationMs: tookMs,
      memoryMb: this.memoryMb,
      maxMemoryMb: maxMb || Math.min(maxMemoryMb(), this.memoryMb),
      initMs: this.initMs,
      status,
      errorType,
      measuredBy: this.probe.hasSchedstat ? "" : "rusage",
      asJson: this.asJson,
    });
    this.initMs = null;
    this.flushLog(lines);
  }

  logError(text, title = "Invoke Error") {
    const answer = JSON.parse(text);
    // context.fail() and what cannot be JSON: the answer says all that is known
    const error = this.error || { errorType: "Error", errorMessage: answer.error, stack: (answer.trace || "").split("\n") };
    this.logged.push(errorLine(this.requestId, title, error, this.asJson));
    return JSON.stringify({ ...answer, error: error.errorMessage, trace: "" }) + "\n";
  }

  // An error that nobody caught: the answer tells it, and the process ends.
  uncaught(error) {
    const told = faults.describe(error);
    if (!this.running) {
      this.logged.push(errorLine(this.requestId || "", "Uncaught Exception", told, this.asJson));
      process.exit(1);
    }
    this.timeline.end();
    this.logged.push(errorLine(this.requestId, faults.titleOf(told), told, this.asJson));
    const tookMs = Math.min(durationMs(this.steps(), this.memoryMb)[0], this.timeoutMs);
    this.die(told.errorMessage, tookMs, { status: "error" });
  }

  writeTrace(steps, tookMs) {
    const record = {
      request_id: this.requestId,
      function: process.env.AWS_LAMBDA_FUNCTION_NAME,
      memory_mb: this.memoryMb,
      duration_ms: tookMs,
      wall_ms: performance.now() - this.timeline.beginWallMs,
      steps,
    };
    fs.appendFileSync(this.trace, JSON.stringify(record) + "\n");
  }

  // ends that the handler does not choose

  timeOut() {
    const message = `Task timed out after ${(this.timeoutMs / 1000).toFixed(2)} seconds`;
    this.logged.push(`${this.requestId} ${message}\n`);
    this.die(message, this.timeoutMs, { status: "timeout" });
  }

  outOfMemory(tookMs) {
    this.dieOfExit("Runtime exited with error: signal: killed", tookMs, "Runtime.OutOfMemory", this.memoryMb);
  }

  dieOfExit(reason, tookMs, errorType, maxMb = 0) {
    const message = `RequestId: ${this.requestId} Error: ${reason}`;
    this.logged.push(`${message}\nRuntime.ExitError\n`);
    this.die(message, Math.min(tookMs, this.timeoutMs), { status: "error", errorType, maxMb });
  }

  die(message, tookMs, outcome) {
    if (!this.running) return;
    this.running = false;
    this.report(tookMs, outcome);
    writeSync(1, JSON.stringify({ status: "error", error: message, trace: "" }) + "\n");
    process.reallyExit(1);
  }

  // The handler, or an error that nobody caught, ends the process.
  exiting() {
    if (!this.running) {
      if (this.logged.length) this.flushLog("");
      return;
    }
    this.timeline.end();
    const code = process.exitCode || 0;
    const reason = code ? `Runtime exited with error: exit status ${code}` : "Runtime exited without providing a reason";
    this.dieOfExit(reason, durationMs(this.steps(), this.memoryMb)[0], "Runtime.ExitError");
  }

  // Marks when timers fire: what was used before belongs before the wait.
  markTimers() {
    const meter = this;
    for (const name of ["setTimeout", "setInterval"]) {
      const original = globalThis[name];
      const marking = function (callback, ...rest) {
        if (typeof callback !== "function") return original(callback, ...rest);
        return original(function (...parameters) {
          meter.timeline.markWait();
          return callback.apply(this, parameters);
        }, ...rest);
      };
      Object.defineProperties(marking, Object.getOwnPropertyDescriptors(original));
      globalThis[name] = marking;
      require("timers")[name] = marking;
    }
    const promises = require("timers/promises");
    const sleep = promises.setTimeout;
    promises.setTimeout = (...parameters) => sleep(...parameters).finally(() => meter.timeline.markWait());
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

module.exports = { Meter };
