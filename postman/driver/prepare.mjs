// Gets the driver ready for all its jobs, while there is nothing else to do: it and the processes
// of its users load Newman, and run it until it is compiled.

import { warmUp } from './warmup.mjs';
import { Worker } from './workers.mjs';

export async function main({ processes }) {
  Worker.startSpare(processes);
  await warmUp();
  return 0;
}
