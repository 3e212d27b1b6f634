"""What `dyno bootstrap` makes of its input, and what it tells the workflows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambda_dyno.core.errors import UserError
from lambda_dyno.deploy import next_steps
from lambda_dyno.deploy.bootstrap import Bootstrapped, Bucket, Variable
from lambda_dyno.deploy.repository import Repository, parse_repository


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("acme/tuning", "acme/tuning"),
        ("acme-2/lambda.tuning_x", "acme-2/lambda.tuning_x"),
        ("acme@1234/tuning@5678", "acme/tuning"),
    ],
)
def test_a_repository_is_named_with_or_without_ids(text: str, slug: str) -> None:
    """The claim is kept as given; `gh` takes it without the ids."""
    repository = parse_repository(text)
    assert (repository.claim, repository.slug, repository.branch) == (text, slug, "main")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme",
        "acme/",
        "/tuning",
        "acme/tuning/more",
        "acme/*",
        "acme/tun?ng",
        "acme@1234/tuning",
        "acme/tuning@5678",
        "acme@x/tuning@y",
        "acme/tuning:ref",
        "https://github.com/acme/tuning",
        "git@github.com:acme/tuning.git",
        " acme/tuning",
        "acme/tuning\n",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """One line says what is wrong and what is right."""
    with pytest.raises(UserError, match=r"(?s)^--repo .*: give OWNER/NAME, such as acme/tuning"):
        parse_repository(text)


@pytest.mark.parametrize("branch", ["", "*", "release/*", "a b", "refs:main", "a\nb"])
def test_a_branch_is_one_exact_name(branch: str) -> None:
    """A wildcard in the trust policy would let other branches in."""
    with pytest.raises(UserError, match="one branch by its exact name"):
        parse_repository("acme/tuning", branch)


def test_each_role_is_for_exact_subjects() -> None:
    """Pull requests and one branch plan; the sweep, the tuning and the deployment have their own.

    What sweeps runs on the branch and meets what pull requests have left: with the branch's subject
    it could plan and tune, too.
    """
    subjects = Repository("acme@1/tuning@2", "release/1.x").subjects("prod")
    branch = "repo:acme@1/tuning@2:ref:refs/heads/release/1.x"
    environment = "repo:acme@1/tuning@2:environment"
    assert subjects == {
        "plan": ["repo:acme@1/tuning@2:pull_request", branch],
        "gate": ["repo:acme@1/tuning@2:pull_request", f"{environment}:dyno-sweep"],
        "main": [f"{environment}:dyno-main"],
        "deploy": ["repo:acme@1/tuning@2:environment:prod"],
        "tune": [f"{environment}:dyno-tune"],
    }


def bootstrapped(repository: Repository) -> Bootstrapped:
    """Return an account that is ready for a repository's workflows."""
    arns = {
        role: f"arn:aws:iam::1:role/{role}" for role in ("plan", "gate", "main", "deploy", "tune")
    }
    return Bootstrapped(
        env="prod",
        account_id="111122223333",
        region="eu-west-1",
        bucket=Bucket("states", made=True, managed=True),
        changes=(),
        repository=repository,
        role_arns=arns,
        boundary_arns={role: f"{arns[role]}-boundary" for role in ("gate", "deploy")},
    )


def test_the_environments_of_schedules_are_limited_to_the_branch() -> None:
    """GitHub makes a missing one by itself, open to every branch: the lines come first."""
    repository = Repository("acme@1/tuning@2", "release/1.x")
    done = bootstrapped(repository)
    told = "\n".join(next_steps.lines(done))
    for name in ("dyno-main", "dyno-sweep", "dyno-tune"):
        where = f"repos/acme/tuning/environments/{name}"
        assert f"gh api --method PUT {where} " in told
        assert f"POST {where}/deployment-branch-policies -f name=release/1.x" in told
    assert "prod: make it under Settings" in told
    assert "only deployment branch" in told
    assert "review from code owners" in told


def test_the_store_is_a_line_of_dyno_toml() -> None:
    """With it a run adds what it found; without `--evidence` there is nothing to say."""
    done = bootstrapped(Repository("acme@1/tuning@2"))
    assert "evidence" not in "\n".join(next_steps.lines(done))
    told = "\n".join(next_steps.lines(replace(done, evidence="s3://acme-evidence")))
    assert '[evidence]\n  store = "s3://acme-evidence"' in told
    assert "envs/prod/dyno.toml" in told


def test_the_variables_are_commands_to_run() -> None:
    """What is for a GitHub environment goes there, the rest to the repository."""
    repository = Repository("acme@1/tuning@2")
    done = bootstrapped(repository)
    commands = [variable.command(repository) for variable in done.variables]
    assert commands[0] == "gh variable set AWS_REGION --repo acme/tuning --body eu-west-1"
    (deploy,) = [command for command in commands if "DYNO_DEPLOY_ROLE_ARN" in command]
    assert "--repo acme/tuning --env prod --body arn:aws:iam::1:role/deploy" in deploy
    assert done.to_json()["limits"] == list(repository.limit_commands())
    places = [(variable.name, variable.environment) for variable in done.variables]
    assert len(set(places)) == len(places)


def test_a_variables_command_names_its_environment() -> None:
    """Only if it has one."""
    command = Variable("A", "b", "gate").command(Repository("acme/tuning"))
    assert command == "gh variable set A --repo acme/tuning --body b"
