"""The embedded AWS: a guarded MiniStack, and the meter of its Lambda workers."""
