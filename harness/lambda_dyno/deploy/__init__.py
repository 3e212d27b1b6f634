"""From a reviewed change to an account: what it needs first, apply, deploy."""
