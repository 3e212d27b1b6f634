"""Which subject a repository's tokens have: GitHub is asked, and what it says is checked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.deploy.repository import Repository, find_repository
from tests.support import github_server
from tests.support.github_server import TOKEN, Fault, GitHub, Hosted

NAMES, IDS = "acme/tuning", "acme@1234/tuning@5678"
# As GitHub answers for repositories from before and after 15 July 2026.
OLD = {"use_default": True, "use_immutable_subject": False, "sub_claim_prefix": f"repo:{NAMES}"}
NEW = {"use_default": True, "use_immutable_subject": True, "sub_claim_prefix": f"repo:{IDS}"}


@pytest.fixture
def server() -> Iterator[GitHub]:
    with github_server.running() as running:
        yield running
        assert running.complaints == []


def find(server: GitHub, text: str = NAMES, **options: Any) -> Repository:
    """Ask for a repository, with nothing in the environment but what is given."""
    environ = {"GITHUB_API_URL": server.url, "PATH": "", **options.pop("environ", {})}
    said: list[str] = options.pop("said", [])
    options = {"branch": None, "immutable": None, "env": "dev", **options}
    return find_repository(text, environ=environ, say=said.append, **options)


@pytest.mark.parametrize(
    ("hosted", "claim"),
    [
        pytest.param(Hosted(subject=OLD), NAMES, id="old"),
        pytest.param(Hosted(subject=NEW, created_at="2026-09-01T00:00:00Z"), IDS, id="new"),
        pytest.param(Hosted(subject=NEW), IDS, id="old-and-opted-in"),
        pytest.param(
            Hosted(subject=OLD, created_at="2026-09-01T00:00:00Z"), NAMES, id="new-and-opted-out"
        ),
        pytest.param(Hosted(subject={"use_default": True}), NAMES, id="an-api-that-knows-no-ids"),
        pytest.param(
            Hosted(subject={"use_default": True}, created_at="2026-07-15T00:00:00Z"),
            IDS,
            id="new-and-an-api-that-tells-no-form",
        ),
        pytest.param(
            Hosted(subject={"use_default": True, "use_immutable_subject": True}), IDS, id="flag"
        ),
        pytest.param(
            Hosted(subject={"use_default": False, "include_claim_keys": ["repo", "context"]}),
            NAMES,
            id="the-default-spelled-out",
        ),
        pytest.param(
            Hosted(subject=403, created_at="2026-07-15T12:00:00Z"), IDS, id="new-and-not-told"
        ),
    ],
)
def test_the_form_is_the_one_that_github_sends(server: GitHub, hosted: Hosted, claim: str) -> None:
    """By its own word where it gives it; a young repository's tokens have ids."""
    server.hosted.append(hosted)
    assert find(server) == Repository(claim, "main")


def test_a_renamed_repository_is_found_by_its_old_name(server: GitHub) -> None:
    """Its tokens have the new one, and since it was renamed, ids."""
    subject = {**NEW, "sub_claim_prefix": "repo:acme@1234/dyno@5678"}
    server.hosted.append(Hosted(name="dyno", former=(NAMES,), subject=subject))
    said: list[str] = []
    assert find(server, said=said) == Repository("acme@1234/dyno@5678")
    assert said == ["acme/tuning is acme/dyno by now, and so it is in its tokens"]


def test_the_letters_are_the_repositorys_own(server: GitHub) -> None:
    """A policy compares them exactly, whatever was typed."""
    server.hosted.append(Hosted(owner="Acme", former=(NAMES,), subject={"use_default": True}))
    assert find(server) == Repository("Acme/tuning")


def test_its_default_branch_is_taken_unless_one_is_named(server: GitHub) -> None:
    """Older repositories have master."""
    server.hosted.append(Hosted(subject=OLD, default_branch="master"))
    assert find(server).branch == "master"
    assert find(server, branch="release/1").branch == "release/1"


def test_a_private_one_needs_a_token(server: GitHub) -> None:
    """Without, the lines to run are named; with one, it is asked for with it."""
    server.hosted.append(Hosted(private=True, subject=NEW))
    with pytest.raises(UserError) as refused:
        find(server)
    text = str(refused.value)
    assert text.startswith(
        "--repo acme/tuning: GitHub does not show it (404): it is private and there is no token, "
        "or it is not there. One of these:\n"
    )
    assert "GITHUB_TOKEN=$(gh auth token) make bootstrap ENV=dev REPO=acme/tuning" in text
    assert "REPO=$(gh api repos/acme/tuning --jq " in text
    assert "make bootstrap ENV=dev REPO=acme/tuning ARGS=--no-immutable-subject" in text
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        assert find(server, environ={name: TOKEN}) == Repository(IDS)


def test_gh_is_asked_for_its_token(server: GitHub, tmp_path: Path) -> None:
    """Whoever is logged in there needs no other; for this host, and for no other one."""
    server.hosted.append(Hosted(private=True, subject=NEW))
    gh = tmp_path / "gh"
    gh.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/asked"\necho {TOKEN}\n')
    gh.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    assert find(server, environ={"PATH": path}) == Repository(IDS)
    assert (tmp_path / "asked").read_text() == "auth token --hostname 127.0.0.1\n"


def test_a_gh_that_nobody_logged_in_with_is_none(server: GitHub, tmp_path: Path) -> None:
    """It fails, and the repository is asked for without a token."""
    server.hosted.append(Hosted(subject=OLD))
    gh = tmp_path / "gh"
    gh.write_text("#!/bin/sh\necho not logged in >&2\nexit 4\n")
    gh.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    assert find(server, environ={"PATH": path}) == Repository(NAMES)


def test_a_token_that_is_wrong_is_told(server: GitHub) -> None:
    """And is in no message."""
    server.hosted.append(Hosted(subject=OLD))
    with pytest.raises(
        UserError, match=r"does not show it \(401\): the token may not see it"
    ) as no:
        find(server, environ={"GITHUB_TOKEN": "ghp_wrong"})
    assert "ghp_wrong" not in str(no.value)


def test_an_api_out_of_reach_is_told_with_what_to_run() -> None:
    """Nothing is guessed: a wrong form is a role that nobody can assume."""
    with github_server.running() as server:
        pass
    with pytest.raises(UserError) as refused:
        find(server)
    text = str(refused.value)
    assert "which subject its tokens have cannot be found out: GitHub" in text
    assert "cannot be reached after 3 attempts: the connection is refused" in text
    assert "ARGS=--no-immutable-subject" in text


def test_an_old_repository_whose_form_is_not_told_is_not_guessed(server: GitHub) -> None:
    """It may have been renamed or opted in; its ids are in the line to run."""
    server.hosted.append(Hosted(subject=403))
    with pytest.raises(UserError) as refused:
        find(server)
    text = str(refused.value)
    assert "created on 2024-02-03" in text
    assert f"make bootstrap ENV=dev REPO={IDS}  # if its tokens have ids" in text


def test_whoever_knows_the_form_asks_nobody_or_for_the_ids_alone(server: GitHub) -> None:
    """Ids given, or none wanted: no request; ids wanted: one."""
    server.hosted.append(Hosted(subject=403))
    assert find(server, IDS) == Repository(IDS)
    assert find(server, IDS, immutable=True) == Repository(IDS)
    assert find(server, immutable=False) == Repository(NAMES)
    assert server.requests == []
    assert find(server, immutable=True) == Repository(IDS)
    assert [path for _, path in server.requests] == ["/repos/acme/tuning"]
    with pytest.raises(UserError, match="contradict each other"):
        find(server, IDS, immutable=False)


@pytest.mark.parametrize(
    "subject",
    [
        {"use_default": False, "include_claim_keys": ["job_workflow_ref"]},
        {"use_default": False, "include_claim_keys": ["repo", "context", "job_workflow_ref"]},
        {"use_default": False},
        {},
    ],
)
def test_a_subject_of_its_own_making_is_refused(server: GitHub, subject: dict[str, Any]) -> None:
    """No role could trust it; the line that puts GitHub's back is named."""
    server.hosted.append(Hosted(subject=subject))
    with pytest.raises(UserError, match=r"template of its own .*-F use_default=true"):
        find(server)


@pytest.mark.parametrize(
    "prefix",
    ["repo:acme/*", "repo:evil/tuning", f"repo:{IDS}:ref:refs/heads/main", "*", "", 7, ["repo:a"]],
)
def test_a_prefix_that_is_not_the_repositorys_is_refused(server: GitHub, prefix: Any) -> None:
    """What is read from outside gets into no policy unchecked."""
    server.hosted.append(Hosted(subject={**NEW, "sub_claim_prefix": prefix}))
    with pytest.raises(UserError, match="neither repo:acme/tuning nor repo:acme@1234/tuning@5678"):
        find(server)


@pytest.mark.parametrize(
    "more",
    [
        {"id": "5678"},
        {"id": True},
        {"id": -1},
        {"owner": None},
        {"owner": {"login": "acme"}},
        {"name": "tun*ng"},
        {"name": "tuning:ref"},
        {"owner": {"login": "acme/x", "id": 1}},
        {"default_branch": "release/*"},
        {"name": None},
    ],
)
def test_a_description_that_is_none_is_refused(server: GitHub, more: dict[str, Any]) -> None:
    """A line, no traceback; nothing of it gets into a policy."""
    server.hosted.append(Hosted(subject=NEW, more=more))
    with pytest.raises(UserError):
        find(server)


def test_it_is_patient_for_a_moment(server: GitHub) -> None:
    """One bad answer is no refusal."""
    server.hosted.append(Hosted(subject=OLD))
    server.faults.append(Fault(status=502))
    assert find(server) == Repository(NAMES)
