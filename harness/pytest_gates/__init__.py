"""What `harness.plugin` consists of: the gates as tests."""
