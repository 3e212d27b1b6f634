"""Tuning from the client's side: of an environment's function, or of any that is there."""
