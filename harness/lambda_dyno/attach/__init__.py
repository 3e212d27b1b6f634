"""A function and an API that somebody else deployed: whose it is, what may be sent."""
