"""Verdicts: pure functions from what was measured to an outcome and its reasons."""
