"""Pure statistics, in plain Python: nothing heavy to import, nothing of the world."""
