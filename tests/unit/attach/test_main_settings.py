"""What a pull request's tree may say, and what the default branch's alone."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from lambda_dyno.attach import main_settings
from lambda_dyno.core.config import Settings, parse_settings
from lambda_dyno.core.errors import UserError

MAIN = """
[attach]
url = "https://api.example.com"
function = "orders"
hosts = ["api.example.com", "auth.example.com"]
max_requests = 5000
max_cost_usd = 0.5
[tuning]
safe = ["find"]
"""
WIDER = """
[attach]
url = "https://api.example.com"
function = "orders"
hosts = ["auth.example.com", "evil.example.com"]
in_place = true
max_requests = 9000000
max_cost_usd = 900
[tuning]
safe = ["find", "delete all"]
"""
ALL = (
    "[attach] hosts, [attach] in_place, [attach] max_requests, [attach] max_cost_usd, "
    "[tuning] safe: a pull request cannot widen what the default branch allows"
)


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    command = ["git", *identity, *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone whose origin/main has the settings, and whose tree has wider ones."""
    folder = tmp_path / "clone"
    (folder / "envs" / "dev").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=feature")
    (folder / "envs" / "dev" / "dyno.toml").write_text(MAIN)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "main")
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    (folder / "envs" / "dev" / "dyno.toml").write_text(WIDER)
    git(folder, "commit", "--quiet", "-a", "-m", "wider")
    return folder


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """The environment of a job of a pull request."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "main"}}))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_EVENT_PATH": str(event),
    }


def limited(
    project: Path, environ: dict[str, str], env: str | None = "dev"
) -> tuple[Settings, list[str]]:
    said: list[str] = []
    settings = parse_settings(tomllib.loads(WIDER), "dyno.toml")
    return main_settings.limited(settings, env, project, environ, said.append), said


def test_a_pull_request_widens_nothing(project: Path, job: dict[str, str]) -> None:
    """Hosts, caps, safe requests and in_place are main's; what is narrower would be its own."""
    found, said = limited(project, job)
    assert found.attach.hosts == ["auth.example.com:443"]
    assert (found.attach.max_requests, found.attach.max_cost_usd) == (5000, 0.5)
    assert not found.attach.in_place
    assert found.tuning.safe == ["find"]
    assert said == [ALL]


@pytest.mark.parametrize(
    ("environ", "wide"),
    [
        pytest.param({}, True, id="a laptop"),
        pytest.param(
            {"GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main"}, True, id="main"
        ),
        pytest.param(
            {"GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/x"}, False, id="branch"
        ),
        pytest.param({"GITHUB_EVENT_NAME": "pull_request_target"}, False, id="target"),
        pytest.param({"GITHUB_EVENT_NAME": "workflow_run"}, False, id="after another"),
    ],
)
def test_whose_tree_counts(
    project: Path, job: dict[str, str], environ: dict[str, str], wide: bool
) -> None:
    """That of somebody at a keyboard, and of the default branch."""
    found, _ = limited(project, {**job, **environ} if environ else {})
    assert (found.attach.max_requests == 9_000_000) is wide


@pytest.mark.parametrize(
    ("environ", "wide"),
    [
        ({"CI_COMMIT_BRANCH": "main"}, True),
        ({"CI_COMMIT_BRANCH": "x"}, False),
        ({"CI_MERGE_REQUEST_IID": "3"}, False),
    ],
)
def test_on_gitlab(project: Path, environ: dict[str, str], wide: bool) -> None:
    """By its own variables."""
    gitlab = {"GITLAB_CI": "true", "CI_DEFAULT_BRANCH": "main", **environ}
    assert (limited(project, gitlab)[0].attach.max_requests == 9_000_000) is wide


def test_on_codebuild_by_the_clone(project: Path) -> None:
    """It names no default branch; the clone may."""
    build = {"CODEBUILD_BUILD_ID": "x:1"}
    assert limited(project, build)[1][0].endswith("nothing says which branch is the default one")
    git(project, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    assert limited(project, build)[0].attach.max_requests == 5000


def test_without_main_only_the_built_in_limits(project: Path, job: dict[str, str]) -> None:
    """The line says how to have it; no host is allowed, and no request marked."""
    git(project, "update-ref", "-d", "refs/remotes/origin/main")
    found, said = limited(project, job)
    assert found.attach.hosts == []
    assert found.tuning.safe == []
    assert found.attach.max_requests == 20_000
    assert "git fetch --depth=1 origin +refs/heads/main:refs/remotes/origin/main" in said[0]


def test_without_an_environment_nothing_was_reviewed(project: Path, job: dict[str, str]) -> None:
    """Flags of a pull request's own workflow are its own."""
    found, said = limited(project, job, env=None)
    assert (found.attach.hosts, found.attach.max_requests) == ([], 20_000)
    assert "no --env names settings" in said[0]


@pytest.mark.parametrize("text", ["[attach]\nhosts = [1]\n", "what?", None])
def test_main_settings_that_cannot_be_read(
    project: Path, job: dict[str, str], text: str | None
) -> None:
    """They allow no more than what is built in."""
    path = project / "envs" / "dev" / "dyno.toml"
    if text is None:
        git(project, "rm", "--quiet", "--cached", str(path))
    else:
        path.write_text(text)
    git(project, "commit", "--quiet", "-a", "-m", "broken")
    git(project, "update-ref", "refs/remotes/origin/main", "HEAD")
    found, said = limited(project, job)
    assert (found.attach.hosts, found.attach.max_requests) == ([], 20_000)
    assert said[0].startswith("the limits are the built-in ones: ")


@pytest.mark.parametrize("name", ["--upload-pack=x", "../x", "", 'a"b', "x" * 300])
def test_a_branch_of_no_name(project: Path, job: dict[str, str], name: str) -> None:
    """What an event calls one becomes no option and no path."""
    Path(job["GITHUB_EVENT_PATH"]).write_text(json.dumps({"repository": {"default_branch": name}}))
    found, _ = limited(project, job)
    assert found.attach.max_requests == 20_000


@pytest.mark.parametrize(
    ("event", "refused"),
    [
        ('payload = {drop = "all"}', "payload"),
        ('payload_s3 = "s3://bucket/key"', "payload_s3"),
        ('payload_file = "changed.json"', "payload_file"),
        ('payload_file = "new.json"', "payload_file"),
        ('payload_file = "../../../outside.json"', "payload_file"),
        ('payload_file = "same.json"', ""),
        ("payload = {id = 1}", ""),
        ("", ""),
    ],
)
def test_events_are_the_default_branchs(
    project: Path, job: dict[str, str], event: str, refused: str
) -> None:
    """What a collection sends is looked at; what an event means nobody can tell."""
    folder = project / "envs" / "dev"
    for name in ("changed.json", "same.json"):
        (folder / name).write_text('{"id": 1}')
    known = event if refused in ("", "payload_file") else "payload = {id = 1}"
    (folder / "dyno.toml").write_text(f"[tuning]\n{known}\n")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "events")
    git(project, "update-ref", "refs/remotes/origin/main", "HEAD")
    for name in ("changed.json", "new.json"):
        (folder / name).write_text('{"drop": "all"}')
    (project.parent / "outside.json").write_text("{}")
    settings = parse_settings(tomllib.loads(f"[tuning]\n{event}\n"), "dyno.toml")
    if not refused:
        main_settings.limited(settings, "dev", project, job, lambda _: None)
        return
    with pytest.raises(UserError, match=rf"^\[tuning\] {refused}: a pull request cannot change"):
        main_settings.limited(settings, "dev", project, job, lambda _: None)
    main_settings.limited(settings, "dev", project, {}, lambda _: None)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        pytest.param(None, True, id="none"),
        pytest.param("collection", False, id="another request of the name"),
        pytest.param("data", False, id="other rows"),
        pytest.param("settings", False, id="another collection"),
    ],
)
def test_a_safe_name_is_of_the_request_that_was_reviewed(
    project: Path, job: dict[str, str], change: str | None, kept: bool
) -> None:
    """Or a pull request would call its own so."""
    folder = project / "envs" / "dev"
    names = {"collection": "c.json", "data": "rows.json", "other": "other.json"}
    for name in names.values():
        (folder / name).write_text("[]")
    load = '[load]\ncollection = "c.json"\ndata = "rows.json"\n'
    text = f'[tuning]\nsafe = ["find"]\n{load}'
    (folder / "dyno.toml").write_text(text)
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "tests")
    git(project, "update-ref", "refs/remotes/origin/main", "HEAD")
    if change in names:
        (folder / names[change]).write_text('[{"name": "find"}]')
    if change == "settings":
        text = text.replace("c.json", "other.json")
    settings = parse_settings(tomllib.loads(text), "dyno.toml")
    said: list[str] = []
    found = main_settings.limited(settings, "dev", project, job, said.append)
    assert (found.tuning.safe == ["find"]) is kept
    assert bool(said) is not kept
