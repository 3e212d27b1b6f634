"""A run on a terminal, or in a log: progress, and the streams it goes to."""
