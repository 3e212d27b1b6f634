"""Functions of `modules/retune`: what its state machine cannot do by itself.

Read a payload at one version, look whether traffic has changed, write the evidence row, and tell a
repository. `handlers` has one module for each; the rest decides and does no input or output, but
for `aws` and `github`.
"""
