"""GitHub, GitLab, CodeCommit, and what a pipeline tells of itself."""
