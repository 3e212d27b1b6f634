"""The clocks as they were before any function could replace them in the module `time`.

Libraries that freeze time (freezegun, time-machine) replace the functions of `time`, and what other
modules have imported of it; what a class holds they leave alone.
"""

from __future__ import annotations

import time


class Clocks:
    """Clocks of this process, in nanoseconds or seconds."""

    wall_ns = staticmethod(time.perf_counter_ns)
    process_ns = staticmethod(time.process_time_ns)
    thread_ns = staticmethod(time.thread_time_ns)
    monotonic_s = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
    unix_s = staticmethod(time.time)
    gmtime = staticmethod(time.gmtime)
    strftime = staticmethod(time.strftime)
