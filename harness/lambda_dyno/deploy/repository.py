"""Which GitHub repository may work in an account: its name, and what its tokens call it.

The subject of a GitHub token begins with the repository's name. Repositories that were created,
renamed or transferred since 15 July 2026, and those that opted in, have immutable ids in it:
`repo:acme@1234/tuning@5678:...` (https://docs.github.com/en/actions/reference/security/oidc). A
role trusts one exact form, so GitHub is asked which one it sends. What it answers is checked
before it gets into a trust policy.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lambda_dyno.core.errors import UserError
from lambda_dyno.forge.comments import ForgeError
from lambda_dyno.forge.rest_api import DEFAULT_API_URL, Answer, ForgeApi
from lambda_dyno.forge.retry import RetryBudget

DEFAULT_BRANCH = "main"
# GitHub environments of the scheduled workflows. Each must be limited to the default branch:
# GitHub makes one that is missing by itself, and then every branch may use it.
SWEEP_ENVIRONMENT = "dyno-sweep"
TUNE_ENVIRONMENT = "dyno-tune"
MAIN_ENVIRONMENT = "dyno-main"
# Repositories that are younger have ids in their subjects, unless somebody switched them off.
IMMUTABLE_SINCE = "2026-07-15"

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_REPOSITORY = re.compile(
    rf"(?P<owner>{_NAME})(?:@(?P<owner_id>\d+))?/(?P<name>{_NAME})(?:@(?P<id>\d+))?"
)
_BRANCH = re.compile(r"[^\s*?:~^\\\[]+")
# The default template of a subject, spelled out.
_DEFAULT_KEYS = ["repo", "context"]


@dataclass(frozen=True, slots=True)
class Repository:
    """A GitHub repository whose workflows may work in the account.

    Attributes:
        claim: Its name as in the tokens' subject: "acme/tuning", or with immutable ids
            "acme@1234/tuning@5678".
        branch: The branch whose workflow may plan a deployment.
    """

    claim: str
    branch: str = DEFAULT_BRANCH

    @property
    def slug(self) -> str:
        """Its name without ids, as `gh` takes it."""
        return re.sub(r"@\d+", "", self.claim)

    def subjects(self, env: str) -> dict[str, list[str]]:
        """Return who may assume which role: exact `sub` claims by role."""
        pull_request = f"repo:{self.claim}:pull_request"
        branch = f"repo:{self.claim}:ref:refs/heads/{self.branch}"
        environment = f"repo:{self.claim}:environment:"
        return {
            "plan": [pull_request, branch],
            # The sweep runs what pull requests have written into the bucket of the states, so its
            # token must be good for no other role than theirs: not the branch's, but one of an
            # environment of its own.
            "gate": [pull_request, f"{environment}{SWEEP_ENVIRONMENT}"],
            # what main is measured by, and what adds to the evidence that others are held against
            "main": [f"{environment}{MAIN_ENVIRONMENT}"],
            "deploy": [f"{environment}{env}"],
            # never a pull request: it calls the deployed function
            "tune": [f"{environment}{TUNE_ENVIRONMENT}"],
        }

    def limit_commands(self) -> tuple[str, ...]:
        """Return the command lines that let no other branch use the scheduled environments."""
        lines = []
        for name in (MAIN_ENVIRONMENT, SWEEP_ENVIRONMENT, TUNE_ENVIRONMENT):
            where = f"repos/{self.slug}/environments/{name}"
            lines.append(
                f"gh api --method PUT {where} "
                "-F 'deployment_branch_policy[protected_branches]=false' "
                "-F 'deployment_branch_policy[custom_branch_policies]=true'"
            )
            branch = shlex.quote(self.branch)
            lines.append(
                f"gh api --method POST {where}/deployment-branch-policies -f name={branch}"
            )
        return tuple(lines)


@dataclass(frozen=True, slots=True)
class Facts:
    """What GitHub says of a repository.

    Attributes:
        slug: Its name now, whatever it was asked by: "acme/tuning".
        with_ids: The same with immutable ids: "acme@1234/tuning@5678".
        created: The day it was created, as 2026-07-15.
        branch: Its default branch.
    """

    slug: str
    with_ids: str
    created: str
    branch: str


def parse_repository(text: str, branch: str = DEFAULT_BRANCH) -> Repository:
    """Return the repository that `--repo` and `--branch` name.

    Raises:
        UserError: It is not OWNER/NAME, or the branch is not one exact name.
    """
    found = _REPOSITORY.fullmatch(text)
    if not found or (found["owner_id"] is None) != (found["id"] is None):
        raise UserError(
            f"--repo {text}: give OWNER/NAME, such as acme/tuning, or with both ids, such as "
            "acme@1234/tuning@5678; no address and no wildcard"
        )
    if not _BRANCH.fullmatch(branch):
        raise UserError(f"--branch {branch}: give one branch by its exact name, such as main")
    return Repository(text, branch)


def find_repository(
    text: str,
    *,
    branch: str | None,
    immutable: bool | None,
    env: str,
    environ: Mapping[str, str],
    say: Callable[[str], None],
) -> Repository:
    """Return a repository as GitHub's tokens will name it; nothing is changed anywhere.

    Args:
        text: OWNER/NAME; with both ids it is taken as it is, and nobody is lookup.
        branch: The branch that is deployed, tuned and swept from; None is the default branch.
        immutable: Whether the tokens have ids, as whoever calls knows it; None: ask GitHub.
        env: The environment that is bootstrapped, for the lines to run.
        environ: The process's environment, for GitHub's address and a token.
        say: Told what was found out and may surprise.

    Raises:
        UserError: It is not there, or it cannot be found out; the message has what to run.
    """
    named = parse_repository(text, branch or DEFAULT_BRANCH)
    if named.claim != named.slug:
        if immutable is False:
            raise UserError(
                f"--repo {text} --no-immutable-subject: these contradict each other; leave the "
                "ids out, or the flag"
            )
        return named
    if immutable is False:
        return named  # nothing is left to find out
    lookup = _GitHubLookup(_api(environ), env)
    facts = lookup.facts(named.slug)
    if facts.slug != named.slug:
        say(f"{named.slug} is {facts.slug} by now, and so it is in its tokens")
    claim = facts.with_ids if immutable else lookup.claim(facts)
    return parse_repository(claim, facts.branch if branch is None else branch)


def _of_template(body: Any, facts: Facts) -> str:
    """Return the name that a repository's settings of the subject come to.

    Raises:
        UserError: The subject is of the repository's own making, or cannot be understood.
    """
    template = body if isinstance(body, dict) else {}
    default = template.get("use_default")
    keys = template.get("include_claim_keys")
    if default is not True and keys != _DEFAULT_KEYS:
        own = keys if isinstance(keys, list) else []
        what = ", ".join(map(repr, own)) or "its owner's"
        raise UserError(
            f"--repo {facts.slug}: its tokens have a subject of a template of its own ({what}), "
            "which the roles cannot trust. Use GitHub's: gh api --method PUT "
            f"repos/{facts.slug}/actions/oidc/customization/sub -F use_default=true"
        )
    prefix = template.get("sub_claim_prefix")
    forms = {f"repo:{claim}": claim for claim in (facts.slug, facts.with_ids)}
    if prefix is not None:
        if not isinstance(prefix, str) or prefix not in forms:
            raise UserError(
                f"--repo {facts.slug}: GitHub says that its tokens' subject begins with "
                f"{prefix!r}, which is neither {' nor '.join(forms)}"
            )
        return forms[prefix]
    ids = template.get("use_immutable_subject")
    if not isinstance(ids, bool):
        ids = facts.created >= IMMUTABLE_SINCE
    return facts.with_ids if ids else facts.slug


@dataclass(frozen=True, slots=True)
class _GitHubLookup:
    """What GitHub's API says, for the bootstrap of an environment."""

    api: ForgeApi
    env: str

    def facts(self, slug: str) -> Facts:
        """Return what GitHub says of a repository.

        Raises:
            UserError: It cannot be seen, or the answer cannot be understood.
        """
        answer = self._get(f"repos/{slug}", slug)
        if answer.status in (401, 403, 404):
            why = (
                "the token may not see it, or it is not there"
                if self.api.token
                else "it is private and there is no token, or it is not there"
            )
            raise self._refusal(slug, f"GitHub does not show it ({answer.status}): {why}")
        try:
            facts = _facts(answer.body)
        except (KeyError, TypeError, ValueError):
            problem = f"what GitHub's API answers ({answer.status}) is no repository"
            raise self._refusal(slug, problem) from None
        parse_repository(facts.with_ids, facts.branch)  # it gets into a policy
        return facts

    def claim(self, facts: Facts) -> str:
        """Return a repository's name as its tokens have it.

        Raises:
            UserError: GitHub does not tell, or the subject is one that no role can trust.
        """
        path = f"repos/{facts.slug}/actions/oidc/customization/sub"
        answer = self._get(path, facts.slug, facts)
        if answer.ok:
            return _of_template(answer.body, facts)
        if facts.created >= IMMUTABLE_SINCE:
            return facts.with_ids
        whose = "the token may not see it" if self.api.token else "there is no token"
        problem = (
            f"it was created on {facts.created}, so its tokens have ids only if it was renamed, "
            f"transferred or opted in since {IMMUTABLE_SINCE}, which GitHub does not tell "
            f"({answer.status}: {whose})"
        )
        raise self._refusal(facts.slug, problem, facts)

    def _get(self, path: str, slug: str, facts: Facts | None = None) -> Answer:
        try:
            return self.api.request("GET", path)
        except ForgeError as error:
            problem = f"which subject its tokens have cannot be found out: {error}"
            raise self._refusal(slug, problem, facts) from None

    def _refusal(self, slug: str, problem: str, facts: Facts | None = None) -> UserError:
        """Return an error with the lines to run, of which one is the right one."""
        again = f"make bootstrap ENV={self.env} REPO="
        ids = '"\\(.owner.login)@\\(.owner.id)/\\(.name)@\\(.id)"'
        with_ids = facts.with_ids if facts else f"$(gh api repos/{slug} --jq '{ids}')"
        return UserError(
            f"--repo {slug}: {problem}. One of these:\n"
            f"  GITHUB_TOKEN=$(gh auth token) {again}{slug}  # a token that reads it\n"
            f"  {again}{with_ids}  # if its tokens have ids\n"
            f"  {again}{slug} ARGS=--no-immutable-subject  # if they have none"
        )


def _facts(body: Any) -> Facts:
    """Return what a repository's description says.

    Raises:
        KeyError, TypeError, ValueError: It is none.
    """
    owner, name = body["owner"]["login"], body["name"]
    return Facts(
        slug=f"{owner}/{name}",
        with_ids=f"{owner}@{_id(body['owner'])}/{name}@{_id(body)}",
        created=str(body["created_at"])[:10],
        branch=str(body["default_branch"]),
    )


def _id(holder: Mapping[str, Any]) -> int:
    found = holder["id"]
    if type(found) is not int or found < 1:
        raise ValueError(found)
    return found


def _api(environ: Mapping[str, str]) -> ForgeApi:
    url = environ.get("GITHUB_API_URL") or DEFAULT_API_URL
    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or _gh_token(url, environ)
    # somebody waits: a few seconds are enough to find out that there is no network
    return ForgeApi(url, token, RetryBudget(attempts=3, max_wait_s=10.0))


def _gh_token(api_url: str, environ: Mapping[str, str]) -> str:
    """Return the token of the `gh` that somebody logged in with, for this very host; or none."""
    gh = shutil.which("gh", path=environ.get("PATH"))
    host = urlsplit(api_url).hostname or ""
    if gh is None:
        return ""
    try:
        done = subprocess.run(
            [gh, "auth", "token", "--hostname", host.removeprefix("api.")],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
