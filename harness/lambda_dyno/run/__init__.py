"""The line of a run: its steps in order, its folder and lease, going on with it."""
