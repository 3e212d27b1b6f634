"""Lambda Dyno: size AWS Lambda functions and keep them fast."""

from __future__ import annotations

__version__ = "0.1.0"
