// Variables whose values do not last: tokens, and the keys that sign requests. One process gets
// them and tells the others (`onRenewed`); each run of Newman takes the newest before an item.

import { keepSecret } from './secrets.mjs';

const newest = new Map();
const listeners = new Set();
let version = 0;

/** Takes new values, by the variables that hold them. */
export function renew(values) {
  keepSecret(values, { passes: true });
  for (const [name, value] of Object.entries(values)) newest.set(name, value);
  version += 1;
  for (const listener of listeners) listener(values);
}

/** All values that were ever renewed. */
export function renewedValues() {
  return Object.fromEntries(newest);
}

/** Calls a function with what is renewed from now on; returns what ends that. */
export function onRenewed(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Returns what brings a run of Newman up to date, each time that it is called. */
export function refresher() {
  let seen = 0; // values that were there when the run was made may be newer than its variables
  return (run) => {
    if (seen === version) return;
    seen = version;
    for (const [name, value] of newest) run.state.environment.set(name, value);
  };
}
