"""Where `dyno` starts: imports take a fifth of a second, in which Ctrl-C is no traceback either."""

import sys

from lambda_dyno.core.errors import EXIT_INTERRUPTED


def main() -> None:
    """Run the command line."""
    sys.argv[0] = "dyno"  # whatever started it: the name is in messages, and in locks
    try:
        from lambda_dyno.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
