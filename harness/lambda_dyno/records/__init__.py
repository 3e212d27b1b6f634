"""Frozen records of what is measured and decided; `core.results` has them all."""
