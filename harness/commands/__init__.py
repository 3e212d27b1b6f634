"""The commands of `dyno`, a module each: options in, calls, printing. `harness.cli` joins them."""
