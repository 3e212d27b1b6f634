"""What `plugin.hooks` consists of: the gates as tests."""
