"""A function and an API that somebody else deployed: whose they are, what may be sent, its price."""
