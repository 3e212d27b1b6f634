"""Which memory size to measure next, when to stop, and how sure the answer is.

Pure standard library, like `tuner_contract`: it is packed into the tuner's Lambda function, and
replayed against real curves by `make bench-tuner`. `posterior` is what the samples say,
`decide` what follows.
"""
