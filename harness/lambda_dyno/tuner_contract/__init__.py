"""What the harness and the power tuner's Lambda function share; pure standard library."""
