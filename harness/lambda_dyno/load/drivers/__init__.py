"""The programs that load an API."""
