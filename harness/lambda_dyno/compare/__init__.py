"""A candidate and its baseline: deployed side by side, measured in turns."""
