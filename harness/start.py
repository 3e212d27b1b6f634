"""Where `dyno` starts: imports take a fifth of a second, in which Ctrl-C is no traceback either."""

import sys

from harness.errors import EXIT_INTERRUPTED


def main() -> None:
    """Run the command line."""
    sys.argv[0] = "dyno"  # whatever started it: the name is in messages, and in locks
    try:
        from harness import cli

        cli.main()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
