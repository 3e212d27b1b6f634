"""The module that a worker is told to load in place of the function's own.

It loads the function's module and hands over its handler, so that the meter sees the handler's
context and the type of what it raises.
"""

from __future__ import annotations

from .worker import current

handler = current().load_handler()
