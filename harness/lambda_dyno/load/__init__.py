"""The smoke and load tests of an API: plans, Newman, rounds, results."""
