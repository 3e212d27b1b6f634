"use strict";
// The global `awslambda`: responses that are written piece by piece. They are kept until the end
// here: MiniStack's answers are whole. To who asked for a stream they are the bytes that were
// written; to others text, or what it is as JSON.

const { Writable } = require("stream");

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const PRELUDE_END = Buffer.alloc(8); // between a prelude and the body

class ResponseStream extends Writable {
  constructor() {
    super();
    this.parts = [];
  }

  _write(chunk, encoding, done) {
    if (this._onBeforeFirstWrite) {
      const begin = this._onBeforeFirstWrite;
      this._onBeforeFirstWrite = null;
      begin((part) => this.parts.push(Buffer.from(part)));
    }
    this.parts.push(Buffer.from(chunk, encoding));
    done();
  }

  setContentType(contentType) {
    this.contentType = contentType;
  }

  // What the worker answers with: what is JSON as such, for it makes JSON of it.
  result(asBytes) {
    const whole = Buffer.concat(this.parts);
    if (asBytes) return { dyno_streamed: whole.toString("base64") };
    const text = whole.toString();
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
}

const awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = "response";
    if (options && options.highWaterMark) handler[Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark")] = options.highWaterMark;
    return handler;
  },
  HttpResponseStream: {
    from(stream, prelude) {
      stream.setContentType("application/vnd.awslambda.http-integration-response");
      stream._onBeforeFirstWrite = (write) => {
        write(JSON.stringify(prelude));
        write(PRELUDE_END);
      };
      return stream;
    },
  },
};

// Returns a handler that answers with what the given one has streamed.
function buffered(handler, asBytes) {
  if (!handler[STREAMING]) return handler;
  return async (event, context) => {
    const stream = new ResponseStream();
    const finished = new Promise((done, fail) => stream.on("finish", done).on("error", fail));
    await handler(event, stream, context);
    await finished;
    return stream.result(asBytes());
  };
}

module.exports = { awslambda, buffered, streams: (handler) => Boolean(handler[STREAMING]) };
