"""What the harness and the power tuner's Lambda functions share; pure standard library.

The functions are zipped without byte code, so each line and each dataclass of it is a part of every
cold start: plain records are tuples here.
"""
