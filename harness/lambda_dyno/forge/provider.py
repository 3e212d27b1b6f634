"""The forges that there are, by name: in a module that imports none of them."""

from __future__ import annotations

from enum import StrEnum


class Provider(StrEnum):
    """Where the pull request is."""

    GITHUB = "github"
    GITLAB = "gitlab"
    CODECOMMIT = "codecommit"
