"""What a reviewer sees of a run: one comment on the pull request, kept up to date.

`comment` puts the text together from `plan_table`, `figures` and `curve` (pure functions);
`place` says what a forge must offer, `github` and `codecommit` offer it, `publish` ties them.
"""
