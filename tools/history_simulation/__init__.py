"""Simulations of the history: how often its change points are wrong, and a store of many runs."""
