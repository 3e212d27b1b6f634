"""The smoke and load tests of an API: schedules, drivers, rounds, results."""
