"""A recommended memory size as a change: a file, a commit, a pull request."""
