"""The folder of a run, its lease, and its result."""
