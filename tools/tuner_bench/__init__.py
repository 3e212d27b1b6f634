"""Replays of tuning policies on measured power curves: what they choose, and what that takes."""
