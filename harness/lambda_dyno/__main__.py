"""Where `dyno` starts: imports take a fifth of a second, in which Ctrl-C is no traceback either."""

import os
import sys
from typing import Any

from lambda_dyno.core import systems
from lambda_dyno.core.errors import EXIT_INTERRUPTED, EXIT_USER_ERROR


def main() -> None:
    """Run the command line."""
    if why := systems.refusal():  # before anything is imported that there is no other system for
        sys.stderr.write(f"error: {why}\n")
        sys.exit(EXIT_USER_ERROR)
    sys.argv[0] = "dyno"  # whatever started it: the name is in messages, and in locks
    try:
        sys.unraisablehook = _end_if_interrupted
        from lambda_dyno.cli import app

        sys.unraisablehook = sys.__unraisablehook__
        app.main()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _end_if_interrupted(unraisable: Any) -> None:
    """End at once, since nothing has begun: Python itself would show a traceback, and go on.

    The import system has callbacks that nothing can be raised from.
    """
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        os._exit(EXIT_INTERRUPTED)
    sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    main()
