"""Verdicts: pure functions from what was measured to an outcome, its reasons and its sentences.

`slo`, `regression` and `separation` judge, `recommendation` and `objections` say what to do about
it, `phrases` words it, and `formatting` writes every figure.
"""
