"""What is to be done on GitHub after a bootstrap, as lines to copy."""

from __future__ import annotations

from collections.abc import Iterator

from lambda_dyno.deploy.bootstrap import Bootstrapped
from lambda_dyno.deploy.repository import Repository


def lines(done: Bootstrapped) -> Iterator[str]:
    """Yield what there is now, and what whoever made it does next."""
    what = f"{len(done.changes)} changes" if done.changes else "nothing to change"
    yield f"account {done.account_id}, {done.region}: {what}"
    yield f"states go to s3://{done.bucket.name}"
    if done.evidence:
        yield f"evidence goes to {done.evidence}, once envs/{done.env}/dyno.toml says so:"
        yield f'  [evidence]\n  store = "{done.evidence}"'
    if done.repository is None:
        yield (
            "no roles for GitHub's workflows; with them: "
            f"make bootstrap ENV={done.env} REPO=OWNER/NAME"
        )
        return
    yield f"\nPut into the variables of {done.repository.slug} (none is a secret):"
    for use, text in (
        ("gate", f"for pull requests and the sweep, if they work in {done.env}"),
        ("deploy", f"for deployments to {done.env} and its tuning, if it is what you deploy"),
    ):
        yield f"  # {text}"
        for variable in done.variables:
            if variable.use == use:
                yield f"  {variable.command(done.repository)}"
    yield from _environments(done.env, done.repository)


def _environments(env: str, repository: Repository) -> Iterator[str]:
    """Yield what keeps other branches out: GitHub makes a missing environment open for all."""
    branch = repository.branch
    yield (
        f"\nBefore that, let branch {branch} alone use the environments of the scheduled workflows."
        "\nGitHub makes a missing one by itself, for every branch; a pull request could then assume"
        "\ntheir roles:"
    )
    for command in repository.limit_commands():
        yield f"  {command}"
    yield (
        f"\nThe deploy role is for the GitHub environment {env}: make it under Settings, "
        f"Environments,\nwith reviewers, and with {branch} as its only deployment branch.\n"
        f"Under Settings, Rules, let {branch} take pull requests only, with a review from code "
        "owners:\nGitHub Actions may approve one, and owns nothing."
    )
