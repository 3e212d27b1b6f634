"""The web pages of what is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_dyno.history import commits
from tests.support.git_commands import git

SHA = "1b98e3c09f0f1f0f1f0f1f0f1f0f1f0f1f0f1f0f"
GITHUB = {
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "42",
    "GITHUB_REF": "refs/pull/7/merge",
}
GITLAB = {
    "CI_MERGE_REQUEST_PROJECT_URL": "https://gitlab.example/acme/shop",
    "CI_MERGE_REQUEST_IID": "7",
    "CI_PIPELINE_URL": "https://gitlab.example/acme/shop/-/pipelines/9",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "remote", "add", "origin", "git@github.com:acme/shop.git")
    return tmp_path


def test_a_run_on_github_has_three_pages(project: Path) -> None:
    """Commit, pull request and workflow run."""
    assert commits.pages(project, f"{SHA}+changes", GITHUB) == {
        "commit": f"https://github.com/acme/shop/commit/{SHA}",
        "pull request": "https://github.com/acme/shop/pull/7",
        "CI run": "https://github.com/acme/shop/actions/runs/42",
    }


def test_a_run_on_gitlab_has_its_own(project: Path) -> None:
    """Merge request and pipeline."""
    found = commits.pages(project, "", GITLAB)
    assert found == {
        "pull request": "https://gitlab.example/acme/shop/-/merge_requests/7",
        "CI run": "https://gitlab.example/acme/shop/-/pipelines/9",
    }


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"CI_PIPELINE_URL": "javascript:alert(1)"},
        {"CI_PIPELINE_URL": 'https://x.example/"><script>'},
        {"GITHUB_REPOSITORY": "a/b) [x](http://evil", "GITHUB_RUN_ID": "1"},
        {"GITHUB_REPOSITORY": "acme/shop", "GITHUB_REF": "refs/heads/main"},
    ],
)
def test_what_is_no_page_is_left_out(project: Path, environ: dict[str, str]) -> None:
    """Nothing that could end a link, and no other scheme."""
    assert commits.pages(project, "no commit", environ) == {}
