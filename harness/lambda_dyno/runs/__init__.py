"""What a run has on this machine: folder, lease and result, its commit, and programs that end."""
