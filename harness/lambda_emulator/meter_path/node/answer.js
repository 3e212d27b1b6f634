"use strict";
// When an invocation is over, as AWS's runtime for Node.js sees it.
//
// A promise that is settled, and context.succeed, fail and done, end it at once. So does a callback
// with an error. Any other callback waits until nothing is left to be done, unless the handler has
// set callbackWaitsForEmptyEventLoop to false. With nothing left and no answer the answer of a
// handler without a promise is null, and a promise has failed. From Node.js 24 on there are no
// callbacks, and what a handler returns counts without a promise, too.

// What a promise, or context.fail, without a reason fails with.
const NO_REASON = "handled";
const NOT_JSON = "Unable to stringify response body";
const NEVER_SETTLED = "Runtime.NodeJsExit";
const NO_CALLBACKS = "Runtime.CallbackHandlerDeprecated";
const NO_CALLBACKS_FROM = 24;
const NO_CALLBACKS_MESSAGE =
  "AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. "
  + "You need to modify this function to use a supported handler signature to use Node.js 24 or later.";

function fault(errorType, message) {
  return Object.assign(new Error(message), { errorType });
}

class Answer {
  constructor() {
    process.on("beforeExit", () => this.whenIdle && this.whenIdle());
    const [, declared] = /nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV) || [];
    this.callbacks = !(Number(declared) >= NO_CALLBACKS_FROM);
  }

  // Calls a handler.
  //
  // `settle` is the worker's callback, `failed` is told what the handler fails with, and `refused`
  // that its answer is none, since that is no JSON.
  of(handler, event, context, settle, failed, refused) {
    this.whenIdle = null;
    if (!this.callbacks && handler.length > 2) throw fault(NO_CALLBACKS, NO_CALLBACKS_MESSAGE);
    let waits = true;
    Object.defineProperty(context, "callbackWaitsForEmptyEventLoop", {
      get: () => waits,
      set: (value) => (waits = Boolean(value)),
      enumerable: true,
      configurable: true,
    });
    const now = (error, result) => {
      this.whenIdle = null;
      if (error !== undefined && error !== null) failed(error);
      try {
        settle(error, result);
      } catch {
        const unanswered = new Error(NOT_JSON);
        failed(unanswered);
        refused(unanswered);
      }
    };
    const callback = (error, result) => {
      if ((error !== undefined && error !== null) || !waits) now(error, result);
      else this.whenIdle = () => now(null, result);
    };
    context.done = now;
    context.succeed = (result) => now(null, result);
    context.fail = (error) => now(error ?? NO_REASON);
    const result = handler.call(undefined, event, context, this.callbacks ? callback : undefined);
    const promised = result !== null && typeof result === "object" && typeof result.then === "function";
    if (!this.whenIdle) {
      this.whenIdle = () => {
        if (!promised) return now(null, null);
        return now(fault(NEVER_SETTLED, "the handler's promise was never settled, and nothing is left to be done"));
      };
    }
    if (promised) result.then((value) => now(null, value), (error) => now(error ?? NO_REASON));
    else if (!this.callbacks) now(null, result);
  }
}

module.exports = { Answer };
