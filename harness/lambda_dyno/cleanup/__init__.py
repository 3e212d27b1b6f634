"""Teardown of runs, and the sweep of those that nobody will take down."""
