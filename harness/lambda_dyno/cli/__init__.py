"""The commands of `dyno`, a module each: options in, calls, printing. `cli.app` joins them."""
