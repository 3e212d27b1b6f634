"""Verdicts: pure functions from what was measured to an outcome, its reasons and its sentences.

`slo` and `separation` judge, `recommendation` and `objections` say what to do about
it, and `phrases` words it.
"""
