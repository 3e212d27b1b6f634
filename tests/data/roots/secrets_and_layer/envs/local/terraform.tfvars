db_password = "not-a-real-one" # pragma: allowlist secret
