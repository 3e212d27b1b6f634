"""`dyno apply` and `dyno rollback`: files, commits, pull requests, and what is refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambda_dyno.core.results import Check, SizeVerdict, Verdict
from tests.support import github_server
from tests.support import report_samples as samples
from tests.support.github_server import REPOSITORY, TOKEN, Fault, GitHub
from tests.support.review_project import Project, good_run

BRANCH = "dyno/memory-dev"


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project in git, with a remote."""
    return Project(tmp_path, monkeypatch, capsys)


@pytest.fixture
def github() -> Any:
    """GitHub's place."""
    with github_server.running() as server:
        yield server
        assert server.complaints == []


def job(server: GitHub) -> dict[str, str]:
    """The environment of a GitHub job."""
    return {
        "GITHUB_API_URL": server.url,
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_TOKEN": TOKEN,
    }


def test_the_file_is_written_with_its_evidence(project: Project) -> None:
    """By default nothing else happens: no commit, no push."""
    run_id = project.add_run(good_run())
    head = project.git("rev-parse", "HEAD")
    done = project.dyno("apply", run_id)
    assert done.status == 0, done.err
    assert "envs/dev/tuned.auto.tfvars.json: memory_mb 512 in place of 128" in done.out
    content = json.loads(project.tuned().read_text())
    assert content["memory_mb"] == 512
    assert list(content) == ["//", "memory_mb"]
    evidence = content["//"]
    assert evidence["run_id"] == run_id
    assert evidence["former"] == [{"memory_mb": 128, "run_id": ""}]
    assert evidence["verdict"] == "pass"
    assert evidence["measured_at"] == "2026-11-20T22:43:07+00:00"
    at = {size["memory_mb"]: size for size in evidence["measured"]}
    assert at[128]["duration_ms"] == 71.45
    assert at[512]["duration_ms"] == 15.17
    assert at[512]["load_p95_ms"] < at[128]["load_p95_ms"]
    assert project.git("rev-parse", "HEAD") == head
    assert project.git("status", "--porcelain") == "?? envs/dev/tuned.auto.tfvars.json"


def test_terraform_reads_it_without_a_warning(project: Project) -> None:
    """The evidence stands in a key that JSON tfvars have for comments."""
    project.dyno("apply", project.add_run(good_run()))
    root = project.folder / "root"
    root.mkdir()
    (root / "main.tf").write_text(
        'variable "memory_mb" { default = 128 }\noutput "memory_mb" { value = var.memory_mb }\n'
    )
    (root / project.tuned().name).write_text(project.tuned().read_text())
    quiet = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        ["terraform", "plan", "-no-color", "-input=false"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env=quiet,
    )
    assert done.returncode == 0, done.stderr
    assert "memory_mb = 512" in done.stdout
    assert "Warning" not in done.stdout


def fails(**check: Any) -> Verdict:
    """A verdict with one missed SLO."""
    return Verdict("fail", (Check("latency_p95_ms", 1.0, 2.0, "fail", "p95 is too slow", "ms"),))


def undecided() -> Verdict:
    """A verdict without enough evidence."""
    check = Check("latency_p95_ms", 1.0, None, "inconclusive", "too few requests", "ms")
    return Verdict("inconclusive", (check,))


def strict_slo(**limits: float) -> dict[str, Any]:
    """Settings with other limits."""
    return {"slo": limits}


@pytest.mark.parametrize(
    ("run", "complaint", "forceable"),
    [
        pytest.param(
            {"error": "apply broke\nat line 3"}, "failed: apply broke", False, id="failed"
        ),
        pytest.param({"tuning": None}, "has no tuning", False, id="no-tuning"),
        pytest.param({"verdict": None}, "was not held against the SLOs", True, id="no-verdict"),
        pytest.param(
            {"verdict": fails(), "load": good_run().load[:1]},
            "misses its SLOs: p95 is too slow",
            True,
            id="fail-and-only-the-deployed-size-was-loaded",
        ),
        pytest.param(
            {"verdict": undecided(), "load": good_run().load[:1]},
            "could not decide its SLOs: too few",
            True,
            id="undecided-and-only-the-deployed-size-was-loaded",
        ),
        pytest.param(
            {"load": (good_run().load[0], replace(good_run().load[1], saturated="no CPU left"))},
            "could not be decided at the recommended size: p95 at 512 MB cannot be judged: no CPU",
            True,
            id="undecided-at-the-size",
        ),
        pytest.param(
            {"settings": strict_slo(latency_p95_ms=50.0)},
            "the recommended size misses the SLOs: p95 at 512 MB is 65.4 ms, limit 50 ms",
            True,
            id="slow-at-the-size",
        ),
        pytest.param(
            {"tuning": replace(samples.TUNING, current_power=512)},
            "recommends 512 MB, and dev has it already",
            False,
            id="nothing-to-do",
        ),
        pytest.param(
            {"outputs": {"api_url": "http://127.0.0.1:4566/_aws/execute-api/x/v1"}},
            "measured the embedded AWS, which is no evidence for dev",
            True,
            id="embedded",
        ),
        pytest.param({"env": "staging"}, "there is no such environment", False, id="no-env"),
    ],
)
def test_what_speaks_against_it_is_one_line(
    project: Project, run: dict[str, Any], complaint: str, forceable: bool
) -> None:
    """Exit status 2, nothing written; --force helps where there is something to apply."""
    run_id = project.add_run(replace(good_run(), **run))
    done = project.dyno("apply", run_id)
    assert done.status == 2
    assert complaint in done.err
    assert done.out == ""
    assert not project.tuned().exists()
    assert ("--force" in done.err) is forceable
    forced = project.dyno("apply", run_id, "--force", "--json")
    assert (forced.status == 0) is forceable
    if forceable:
        evidence = json.loads(project.tuned().read_text())["//"]
        assert complaint in evidence["forced_against"][0]


def test_a_run_whose_recommended_size_mends_what_the_deployed_one_misses_is_applied(
    project: Project,
) -> None:
    """It proves the mend: the size that is judged is the one that would be applied."""
    run_id = project.add_run(replace(good_run(), verdict=fails()))
    assert project.dyno("apply", run_id).status == 0
    assert "forced_against" not in json.loads(project.tuned().read_text())["//"]


def test_the_recommended_size_is_applied_by_its_own_test(project: Project) -> None:
    """By the gate's verdict on it, whose intervals the figures of a result do not have."""
    mended = replace(samples.mended(), env="dev", outputs={})
    done = project.dyno("apply", project.add_run(mended), "--commit")
    assert done.status == 0, done.err
    evidence = json.loads(project.tuned().read_text())["//"]
    assert evidence["verdict"] == "pass"
    assert "forced_against" not in evidence
    message = " ".join(project.git("log", "-1", "--format=%B").split())
    assert "1 of 5 SLOs is missed at 128 MB; all 5 SLOs are met at 512 MB." in message


@pytest.mark.parametrize(
    ("outcome", "complaint"),
    [
        ("fail", "the recommended size misses the SLOs: p95 at 512 MB is what it is"),
        ("inconclusive", "could not be decided at the recommended size: p95 at 512 MB is what it"),
    ],
)
def test_the_recommended_size_is_refused_by_its_own_test(
    project: Project, outcome: Any, complaint: str
) -> None:
    """Even where the deployed one meets every limit."""
    run = good_run()
    assert run.verdict is not None
    check = Check("latency_p95_ms", 250.0, 65.4, outcome, "p95 at 512 MB is what it is", "ms")
    own = SizeVerdict(512, "recommended", False, outcome, (check,))
    verdict = replace(run.verdict, sizes=(own,))
    done = project.dyno("apply", project.add_run(replace(run, verdict=verdict)))
    assert done.status == 2
    assert complaint in done.err


def test_an_inconclusive_run_is_applied_where_the_policy_says_so(project: Project) -> None:
    """[slo] inconclusive = "pass"."""
    run = good_run(verdict=undecided(), settings={"slo": {"inconclusive": "pass"}})
    assert project.dyno("apply", project.add_run(run)).status == 0


def test_an_embedded_endpoint_in_the_lease_counts(project: Project) -> None:
    """Whatever the API's address looks like; for local, it is the real thing."""
    run = good_run()
    refused = project.dyno("apply", project.add_run(run, endpoint="http://10.0.0.7:4566"))
    assert refused.status == 2
    assert "embedded AWS" in refused.err
    local = replace(run, env="local", settings={"environment": {"emulated": True}})
    done = project.dyno("apply", project.add_run(local, endpoint="http://127.0.0.1:4566"))
    assert done.status == 0
    assert project.tuned("local").exists()


def tuned_where_it_stands(name: str) -> Any:
    """A run of `dyno tune --function`: no environment, no load test, no verdict."""
    arn = f"arn:aws:lambda:us-east-2:123456789012:function:{name}"
    return samples.run(
        env=f"function {name}",
        outputs={},
        load=(),
        verdict=None,
        settings={"tuning": {"function_arn": arn}},
        tuning=replace(samples.TUNING, function_arn=arn),
    )


def test_a_function_that_was_tuned_where_it_stands_is_applied_to_its_environment(
    project: Project, github: GitHub
) -> None:
    """The deployment's check judges what no load test has seen; a schedule needs no --env."""
    project.add_run(tuned_where_it_stands("dyno-dev-crud-api"))
    done = project.dyno("apply", "--open-pr", "--json", **job(github))
    assert done.status == 0, done.err
    assert (done.json["env"], done.json["memory_mb"]) == ("dev", 512)
    message = project.on_remote("log", "-1", "--format=%B", BRANCH)
    assert "Not load-tested: the deployment's check judges it." in " ".join(message.split())
    embedded = project.add_run(
        tuned_where_it_stands("dyno-dev-crud-api"), endpoint="http://127.0.0.1:4566"
    )
    assert "measured the embedded AWS" in project.dyno("apply", embedded).err
    local = project.add_run(
        tuned_where_it_stands("dyno-local-crud-api"), endpoint="http://127.0.0.1:4566"
    )
    assert project.dyno("apply", local, "--env", "local").status == 0


@pytest.mark.parametrize(
    ("name", "env", "complaint"),
    [
        ("billing", None, "tuned arn:aws:lambda:us-east-2:123456789012:function:billing, which"),
        ("dyno-261120-2243-k3f9-crud-api", None, "is of no environment in envs/"),
        ("dyno-dev-crud-api", "local", "was made for dev, not for local"),
    ],
)
def test_a_function_of_no_environment_is_not_applied(
    project: Project, name: str, env: str | None, complaint: str
) -> None:
    """There is no file that could say its size."""
    run_id = project.add_run(tuned_where_it_stands(name))
    done = project.dyno("apply", run_id, *(["--env", env] if env else []))
    assert done.status == 2
    assert complaint in done.err


def test_nothing_to_change_can_be_no_error(project: Project) -> None:
    """For a schedule, the usual case."""
    run_id = project.add_run(good_run(tuning=replace(samples.TUNING, current_power=512)))
    done = project.dyno("apply", run_id, "--if-needed", "--json")
    assert done.status == 0
    assert done.json["mode"] == "none"


def test_another_environment_is_refused(project: Project) -> None:
    """What holds for dev need not hold for prod."""
    done = project.dyno("apply", project.add_run(good_run()), "--env", "local")
    assert done.status == 2
    assert "was made for dev, not for local" in done.err


def test_a_file_with_changes_is_refused(project: Project) -> None:
    """Nobody's edit is lost."""
    project.tuned().write_text('{"memory_mb": 128}')
    project.commit("Pin memory")
    project.tuned().write_text('{"memory_mb": 192}')
    done = project.dyno("apply", project.add_run(good_run()), "--force")
    assert done.status == 2
    assert "discard them with git checkout -- envs/dev/tuned.auto.tfvars.json" in done.err
    assert json.loads(project.tuned().read_text()) == {"memory_mb": 192}


def test_a_new_file_is_discarded_in_another_way(project: Project) -> None:
    """Git checks out no file that it does not know."""
    project.tuned().write_text('{"memory_mb": 192}')
    done = project.dyno("apply", project.add_run(good_run()), "--force")
    assert done.status == 2
    assert "discard them with git clean -f -- envs/dev/tuned.auto.tfvars.json" in done.err


def test_no_run_is_said(project: Project) -> None:
    """A list of nothing is no blank."""
    done = project.dyno("ls")
    assert (done.status, done.out) == (0, "no runs here, and no environment that stands\n")


def test_a_run_of_an_older_size_is_refused(project: Project) -> None:
    """Its comparison was with a size that is no longer in force."""
    project.tuned().write_text('{"memory_mb": 256}')
    project.commit("Pin memory")
    done = project.dyno("apply", project.add_run(good_run()))
    assert done.status == 2
    assert "measured dev at 128 MB, and envs/dev/tuned.auto.tfvars.json says 256 MB" in done.err


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("{", "not JSON", id="broken"),
        pytest.param("[]", "must be a JSON object", id="list"),
        pytest.param('{"memory_mb": "512"}', 'memory_mb: "512" is not a whole number', id="text"),
        pytest.param('{"memory_mb": 64}', "from 128 to 10240", id="small"),
        pytest.param(
            '{"memory_mb": 512, "//": {"run_id": "x\\nCo-authored-by: a"}}',
            "is no run's id",
            id="run-of-two-lines",
        ),
        pytest.param(
            '{"memory_mb": 512, "//": {"former": [{"memory_mb": 256, "run_id": "@team"}]}}',
            'run_id: "@team" is no run\'s id',
            id="former-run",
        ),
        pytest.param(
            '{"memory_mb": 512, "//": {"run_id": 7}}', "7 is no run's id", id="run-number"
        ),
    ],
)
def test_a_broken_file_is_told_and_kept(project: Project, content: str, complaint: str) -> None:
    """With its path and what is allowed."""
    project.tuned().write_text(content)
    project.commit("Break it")
    done = project.dyno("apply", project.add_run(good_run()))
    assert done.status == 2
    assert "envs/dev/tuned.auto.tfvars.json: " in done.err
    assert complaint in done.err
    assert project.tuned().read_text() == content


def test_other_variables_in_the_file_stay(project: Project) -> None:
    """It may hold more than the size."""
    project.tuned().write_text('{"log_format": "Text", "memory_mb": 128}')
    project.commit("Use text logs")
    assert project.dyno("apply", project.add_run(good_run())).status == 0
    content = json.loads(project.tuned().read_text())
    assert (content["log_format"], content["memory_mb"]) == ("Text", 512)


@pytest.mark.parametrize(
    ("name", "content"),
    [("zz.auto.tfvars", "memory_mb = 128\n"), ("u.auto.tfvars.json", '{"memory_mb": 128}')],
)
def test_a_file_that_would_win_is_named(project: Project, name: str, content: str) -> None:
    """Terraform takes the last one, so the change would do nothing."""
    (project.folder / "envs" / "dev" / name).write_text(content)
    done = project.dyno("apply", project.add_run(good_run()))
    assert done.status == 2
    assert f"envs/dev/{name} sets memory_mb too" in done.err


def test_a_root_without_the_variable_is_refused(project: Project) -> None:
    """Terraform would only warn, for ever."""
    variables = project.folder / "envs" / "dev" / "variables.tf"
    variables.write_text(variables.read_text().replace('"memory_mb"', '"memory"'))
    done = project.dyno("apply", project.add_run(good_run()))
    assert done.status == 2
    assert "declares no variable memory_mb" in done.err


def test_a_result_of_elsewhere_is_applied_by_its_path(project: Project, tmp_path: Path) -> None:
    """CI hands results over as artefacts; a name that leads out of envs/ is refused."""
    path = tmp_path / "result.json"
    path.write_text(json.dumps(good_run().to_json()))
    assert project.dyno("apply", str(path)).status == 0
    for key, value in (("env", "../../etc"), ("run_id", "x\nDyno-Run: y")):
        path.write_text(json.dumps(good_run().to_json() | {key: value}))
        done = project.dyno("apply", str(path))
        assert done.status == 2
        assert f"{key}: " in done.err


def test_commit_holds_the_file_alone(project: Project) -> None:
    """What else is staged stays staged; the message says why."""
    (project.folder / "modules" / "README.md").write_text("work in progress\n")
    project.git("add", "modules")
    run_id = project.add_run(good_run())
    done = project.dyno("apply", run_id, "--commit", "--json")
    assert done.status == 0, done.err
    assert done.json["commit"] == project.git("rev-parse", "HEAD")
    assert project.git("show", "--format=", "--name-only", "HEAD") == (
        "envs/dev/tuned.auto.tfvars.json"
    )
    message = project.git("log", "-1", "--format=%B")
    assert message.splitlines()[0] == "Set memory of dev to 512 MB"
    assert "Set memory_mb from 128 to 512: 4.7 times as fast" in " ".join(message.split())
    assert project.git("log", "-1", "--format=%(trailers:key=Dyno-Run,valueonly)") == run_id
    assert all(len(line) <= 72 for line in message.splitlines())
    assert project.git("status", "--porcelain") == "M  modules/README.md"


def test_a_hook_that_refuses_leaves_everything_as_it_was(project: Project) -> None:
    """File and index."""
    hook = project.folder / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho 'no commits on Friday' >&2\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    done = project.dyno("apply", project.add_run(good_run()), "--commit")
    assert done.status == 3
    assert "no commits on Friday" in done.err
    assert project.git("status", "--porcelain") == ""


def test_a_pull_request_is_opened_without_touching_the_working_tree(
    project: Project, github: GitHub
) -> None:
    """Whatever is checked out or being edited: the commit is made on the remote's main branch."""
    project.git("checkout", "-q", "-b", "feature")
    (project.folder / "modules" / "README.md").write_text("a feature\n")
    project.commit("Add a feature")
    (project.folder / "modules" / "README.md").write_text("half of the next one\n")
    run_id = project.add_run(good_run())
    done = project.dyno("apply", run_id, "--open-pr", "--json", **job(github))
    assert done.status == 0, done.err
    assert done.json["pull_request"] == 1
    assert done.json["url"] == f"https://github.com/{REPOSITORY}/pull/1"
    (pull,) = github.pulls
    assert (pull["head"]["ref"], pull["base"]["ref"]) == (BRANCH, "main")
    assert pull["title"] == "Set memory of dev to 512 MB"
    assert "`dyno rollback --env dev` writes the former size back" in pull["body"]
    assert "| 512 | 15.2 |" in pull["body"]
    assert "lambda-dyno review" not in pull["body"]

    changed = project.on_remote("diff", "--name-only", "main", BRANCH)
    assert changed == "envs/dev/tuned.auto.tfvars.json"
    assert project.on_remote("log", "-1", "--format=%an", BRANCH) == "Lambda Dyno"
    assert project.git("rev-parse", "--abbrev-ref", "HEAD") == "feature"
    assert project.git("status", "--porcelain") == "M modules/README.md"
    assert not project.tuned().exists()


def test_the_next_run_renews_the_open_pull_request(project: Project, github: GitHub) -> None:
    """A schedule piles nothing up."""
    project.dyno("apply", project.add_run(good_run()), "--open-pr", **job(github))
    newer = project.add_run(good_run(tuning=replace(samples.TUNING, power=1024)))
    done = project.dyno("apply", newer, "--open-pr", "--json", **job(github))
    assert done.status == 0, done.err
    assert [pull["title"] for pull in github.pulls] == ["Set memory of dev to 1024 MB"]
    assert project.on_remote("rev-list", "--count", f"main..{BRANCH}") == "1"
    assert newer in project.on_remote("log", "-1", "--format=%B", BRANCH)


def test_somebodys_work_on_the_branch_is_not_overwritten(project: Project, github: GitHub) -> None:
    """It says whose, and what to do."""
    project.git("checkout", "-q", "-b", BRANCH)
    (project.folder / "modules" / "README.md").write_text("mine\n")
    project.commit("Write by hand")
    project.git("push", "-q", "origin", BRANCH)
    done = project.dyno("apply", project.add_run(good_run()), "--open-pr", **job(github))
    assert done.status == 2
    assert "holds a commit that is not ours" in done.err
    assert "Write by hand" in done.err
    assert github.requests == []


def test_a_refused_pull_request_says_that_the_branch_is_there(
    project: Project, github: GitHub
) -> None:
    """So that it can be opened by hand; the token is in no message."""
    message = "GitHub Actions is not permitted to create or approve pull requests."
    github.faults.append(Fault(403, message=message, method="POST"))
    done = project.dyno("apply", project.add_run(good_run()), "--open-pr", **job(github))
    assert done.status == 3
    assert "Settings, Actions, General" in done.err
    assert f"The branch {BRANCH} is pushed" in done.err
    assert TOKEN not in done.err + done.out


def test_opening_a_pull_request_needs_to_know_where(project: Project) -> None:
    """Nothing is pushed before."""
    run_id = project.add_run(good_run())
    done = project.dyno("apply", run_id, "--open-pr")
    assert done.status == 2
    assert "--repo OWNER/NAME" in done.err
    done = project.dyno("apply", run_id, "--open-pr", "--repo", REPOSITORY)
    assert done.status == 2
    assert "GITHUB_TOKEN is not set" in done.err
    assert project.on_remote("branch", "--format=%(refname:short)") == "main"


def test_auto_pushes_to_the_main_branch(project: Project) -> None:
    """On top of what the remote has by now, past what is checked out here."""
    start = project.git("rev-parse", "HEAD")
    (project.folder / "modules" / "README.md").write_text("newer\n")
    project.commit("Go on")
    project.git("push", "-q", "origin", "main")
    project.git("reset", "-q", "--hard", start)
    done = project.dyno("apply", project.add_run(good_run()), "--auto", "--json")
    assert done.status == 0, done.err
    assert project.on_remote("log", "--format=%s", "main").splitlines() == [
        "Set memory of dev to 512 MB",
        "Go on",
        "Begin",
    ]
    assert project.git("rev-parse", "HEAD") == start


def test_a_protected_branch_refuses_auto_in_its_own_words(project: Project) -> None:
    """And nothing is left."""
    hook = project.remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'protected branch' >&2\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    done = project.dyno("apply", project.add_run(good_run()), "--auto")
    assert done.status == 3
    assert "protected branch" in done.err
    assert project.git("status", "--porcelain") == ""


def test_two_modes_at_once_are_refused(project: Project) -> None:
    """Review and no review do not go together."""
    done = project.dyno("apply", project.add_run(good_run()), "--auto", "--open-pr")
    assert done.status == 2
    assert "--open-pr and --auto: give one of them" in done.err


def test_without_git_the_file_is_written(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the other modes say what they need."""
    monkeypatch.setenv("GIT_DIR", str(project.folder / "nowhere"))
    run_id = project.add_run(good_run())
    assert project.dyno("apply", run_id, "--commit").status == 2
    assert not project.tuned().exists()
    assert project.dyno("apply", run_id).status == 0


# --- rollback -------------------------------------------------------------------------------


def test_rollback_writes_the_former_value_back(project: Project) -> None:
    """One step for each apply, down to the size before the first, without git's history."""
    first = project.add_run(good_run())
    project.dyno("apply", first, "--commit")
    at_512 = replace(samples.TUNING, current_power=512, power=1024)
    second = project.add_run(good_run(tuning=at_512))
    project.dyno("apply", second, "--commit")
    assert json.loads(project.tuned().read_text())["memory_mb"] == 1024

    done = project.dyno("rollback", "--commit", "--json")
    assert done.status == 0, done.err
    assert (done.json["memory_mb"], done.json["run_id"]) == (512, first)
    assert project.git("log", "-1", "--format=%s") == "Set memory of dev back to 512 MB"
    content = json.loads(project.tuned().read_text())
    assert content["//"]["rolled_back"] == {"memory_mb": 1024, "run_id": second}

    assert project.dyno("rollback", "--env", "dev", "--commit").status == 0
    content = json.loads(project.tuned().read_text())
    assert (content["memory_mb"], content["//"]["former"]) == (128, [])
    done = project.dyno("rollback", "--commit")
    assert done.status == 2
    assert "names no former size" in done.err


def test_rollback_opens_a_pull_request_of_its_own(project: Project, github: GitHub) -> None:
    """A proposal that waits for its review is not overwritten by it."""
    project.dyno("apply", project.add_run(good_run()), "--auto")
    done = project.dyno("rollback", "--env", "dev", "--open-pr", "--json", **job(github))
    assert done.status == 0, done.err
    (pull,) = github.pulls
    assert pull["head"]["ref"] == "dyno/rollback-dev"
    assert pull["title"] == "Set memory of dev back to 128 MB"
    content = project.on_remote("show", f"dyno/rollback-dev:envs/dev/{project.tuned().name}")
    assert json.loads(content)["memory_mb"] == 128


def test_rollback_takes_no_text_for_a_run(project: Project) -> None:
    """It would get into the commit's trailers and the pull request; a broken list has none."""
    former = [{"memory_mb": 256, "run_id": "x\n\nReviewed-by: nobody"}]
    content = {"memory_mb": 512, "//": {"run_id": "", "former": former}}
    project.tuned().write_text(json.dumps(content))
    project.commit("Write a run")
    done = project.dyno("rollback", "--env", "dev", "--commit")
    assert (done.status, "is no run's id" in done.err) == (2, True)
    assert project.git("log", "-1", "--format=%s") == "Write a run"
    project.tuned().write_text('{"memory_mb": 512, "//": {"former": 5}}')
    project.commit("Break the list")
    assert "names no former size" in project.dyno("rollback", "--env", "dev").err


def test_rollback_without_anything_to_undo_is_refused(project: Project) -> None:
    """Each way says what is missing."""
    assert "no environment has a tuned.auto" in project.dyno("rollback").err
    assert "no such environment" in project.dyno("rollback", "--env", "x").err
    assert "no tuned memory size" in project.dyno("rollback", "--env", "dev").err
    for env in ("dev", "local"):
        project.tuned(env).write_text('{"memory_mb": 256}')
    project.commit("Pin both")
    assert "give --env: dev, local" in project.dyno("rollback").err
    assert "names no former size" in project.dyno("rollback", "--env", "dev").err
