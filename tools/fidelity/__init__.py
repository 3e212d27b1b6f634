"""How near the local Lambda comes to AWS: its model held against curves, its meter against it."""
