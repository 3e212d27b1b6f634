"""A recommendation as a file, a commit, a pull request; GitHub, GitLab, CodeCommit; pipelines."""
