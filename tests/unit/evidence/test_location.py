"""Which store, and which place below it: what CI systems say, and nothing of a working tree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lambda_dyno.core.config import parse_settings
from lambda_dyno.core.errors import UserError
from lambda_dyno.evidence.location import Place, Store, trust_of

GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main"}


@pytest.fixture
def event(tmp_path: Path) -> Path:
    """GitHub's event of a repository whose default branch is main."""
    path = tmp_path / "event.json"
    path.write_text(json.dumps({"repository": {"default_branch": "main"}}))
    return path


@pytest.mark.parametrize(
    ("more", "trust"),
    [
        pytest.param({}, "main", id="push"),
        pytest.param({"GITHUB_EVENT_NAME": "workflow_dispatch"}, "main", id="by hand"),
        pytest.param({"GITHUB_EVENT_NAME": "schedule"}, "main", id="schedule"),
        pytest.param({"GITHUB_REF": "refs/heads/feature"}, "other", id="branch"),
        pytest.param({"GITHUB_REF": "refs/tags/main"}, "other", id="tag"),
        pytest.param({"GITHUB_REF": "refs/heads/main/x"}, "other", id="longer"),
        # runs beside a pull request, on the branch that it goes to
        pytest.param({"GITHUB_EVENT_NAME": "pull_request_target"}, "other", id="target"),
        pytest.param({"GITHUB_EVENT_NAME": "workflow_run"}, "other", id="after another"),
        pytest.param({"GITHUB_EVENT_NAME": "issue_comment"}, "other", id="comment"),
        pytest.param(
            {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/12/merge"},
            "pr/12",
            id="pull request",
        ),
        # never main, whatever else is said
        pytest.param({"GITHUB_REF": "refs/pull/12/merge"}, "pr/12", id="pull request pushed"),
        pytest.param({"GITHUB_REF": "refs/pull/0/merge"}, "other", id="no number"),
        pytest.param({"GITHUB_REF": "refs/pull/../main/merge"}, "other", id="path"),
        pytest.param({"GITHUB_ACTIONS": ""}, "other", id="not GitHub"),
    ],
)
def test_what_github_says(event: Path, more: dict[str, str], trust: str) -> None:
    """The default branch by its own events, and a pull request's merge."""
    assert trust_of({**GITHUB, "GITHUB_EVENT_PATH": str(event), **more}) == trust


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"repository": 1}', None])
def test_an_event_that_names_no_default_branch(tmp_path: Path, content: str | None) -> None:
    """Only a schedule runs on the default branch alone."""
    path = tmp_path / "event.json"
    if content is not None:
        path.write_text(content)
    job = {**GITHUB, "GITHUB_EVENT_PATH": str(path)}
    assert trust_of(job) == "other"
    assert trust_of({**job, "GITHUB_EVENT_NAME": "schedule"}) == "main"


@pytest.mark.parametrize(
    ("environ", "trust"),
    [
        ({}, "other"),
        (
            {"GITLAB_CI": "true", "CI_COMMIT_BRANCH": "trunk", "CI_DEFAULT_BRANCH": "trunk"},
            "main",
        ),
        ({"GITLAB_CI": "true", "CI_COMMIT_BRANCH": "x", "CI_DEFAULT_BRANCH": "trunk"}, "other"),
        ({"GITLAB_CI": "true"}, "other"),
        ({"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "7"}, "pr/7"),
        ({"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "7/../../main"}, "other"),
        ({"CODEBUILD_BUILD_ID": "b:1", "PULL_REQUEST_ID": "3"}, "pr/3"),
        ({"CODEBUILD_BUILD_ID": "b:1"}, "other"),
    ],
)
def test_what_others_say(environ: dict[str, str], trust: str) -> None:
    """GitLab, CodeBuild and nobody."""
    assert trust_of(environ) == trust


@pytest.mark.parametrize(
    ("uri", "bucket", "prefix", "again"),
    [
        ("s3://acme-evidence", "acme-evidence", "", "s3://acme-evidence"),
        ("s3://acme/shop", "acme", "shop/", "s3://acme/shop"),
        ("s3://acme/a/b.c/", "acme", "a/b.c/", "s3://acme/a/b.c"),
    ],
)
def test_a_store(uri: str, bucket: str, prefix: str, again: str) -> None:
    """As dyno.toml has it."""
    store = Store.parse(uri)
    assert (store.bucket, store.prefix, store.uri) == (bucket, prefix, again)
    assert parse_settings({"evidence": {"store": uri}}, "x").evidence.store == uri


@pytest.mark.parametrize(
    "uri",
    [
        "acme",
        "s3://",
        "s3:///x",
        "s3://Acme",
        "s3://a",
        "https://acme",
        "s3://acme//x",
        "s3://acme/../x",
        "s3://acme/a/./b",
        "s3://acme/a b",
        "s3://acme/*",
        "s3://acme/x\n",
        "s3://acme/" + "a/" * 9,
    ],
)
def test_what_is_no_store(uri: str) -> None:
    """One line that says where, and what is allowed."""
    with pytest.raises(UserError, match=r"^x: \[evidence\] store: .*(s3://|printable)"):
        parse_settings({"evidence": {"store": uri}}, "x")
    with pytest.raises(UserError, match=r"^\[evidence\] store: .*s3://BUCKET/PREFIX$"):
        Store.parse(uri)


@pytest.mark.parametrize("text", ["dev/main", "dev/pr/12", "a_B-1/other"])
def test_a_place(text: str) -> None:
    """Its text is its key."""
    assert str(Place.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["dev", "dev/", "/main", "dev/pr", "dev/pr/0", "dev/pr/x", "dev/main/x", "a/b/main", "../main"],
)
def test_what_is_no_place(text: str) -> None:
    """Nothing else becomes a key."""
    with pytest.raises(UserError, match="is no place of a store"):
        Place.parse(text)
