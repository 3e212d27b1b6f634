// How busy a driver process was: whoever is late measures itself.

import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

const LOOP_RESOLUTION_MS = 5;

/** Starts measuring this process; the function it returns gives the figures. */
export function startUsage() {
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
