"""The power tuner's Lambda functions: one per state of the state machine, see handlers.py."""
