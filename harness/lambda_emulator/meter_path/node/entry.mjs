// The module that a worker is told to load in place of the function's own: it loads that one
// and hands over its handler, so that the meter sees the handler's context.

export const handler = await globalThis[Symbol.for("dyno-meter")].loadHandler();
