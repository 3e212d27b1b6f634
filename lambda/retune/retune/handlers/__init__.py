"""The Lambda handlers, a module for each: parse, call the core, serialise."""
