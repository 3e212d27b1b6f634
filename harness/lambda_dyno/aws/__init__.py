"""Accounts, functions, and where a run is."""
