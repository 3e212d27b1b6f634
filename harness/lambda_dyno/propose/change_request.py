"""What becomes of a proposal: a file, a commit, a pull request, or a commit on the main branch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lambda_dyno.core.errors import UserError
from lambda_dyno.core.files import write_atomically
from lambda_dyno.core.reading import MissingError, read_text
from lambda_dyno.forge.comments import ForgeError
from lambda_dyno.forge.github import GitHubPulls
from lambda_dyno.processes.git import GitError, Repository
from lambda_dyno.propose.proposal import Proposal, tuned_path

Mode = Literal["write", "commit", "open-pr", "auto"]

REMOTE = "origin"
_TRAILER = "Dyno-Run"
_PUSHES = 3

# From the content of the environment's file to what shall be done with it.
Proposer = Callable[[str | None], Proposal]
# From a proposal to the text of its pull request.
Describer = Callable[[Proposal], str]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What was done."""

    mode: Mode
    proposal: Proposal
    commit: str = ""
    branch: str = ""
    pull_request: int | None = None
    url: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what `dyno apply --json` prints."""
        return {
            **self.proposal.to_json(),
            "mode": self.mode,
            "commit": self.commit,
            "branch": self.branch,
            "pull_request": self.pull_request,
            "url": self.url,
        }


def write(project: Path, repository: Repository, propose: Proposer, env: str) -> Delivered:
    """Write the file into the working tree.

    Args:
        project: The project's folder.
        repository: Its working tree; may be none.
        propose: Makes the proposal of the file as it is.
        env: The environment.

    Raises:
        UserError: The file has changes that are not committed, or the proposal is refused.
    """
    proposal = propose(_read(project, env))
    if repository.exists():
        _refuse_changes(repository, proposal)
    write_atomically(project / proposal.path, proposal.content)
    return Delivered("write", proposal)


def commit(project: Path, repository: Repository, propose: Proposer, env: str) -> Delivered:
    """Write the file and commit it, alone, on the branch that is checked out.

    Raises:
        UserError: As for `write`, or there is no working tree.
        GitError: Git refuses; the file is as it was before.
    """
    repository.require()
    former = _read(project, env)
    written = write(project, repository, propose, env)
    proposal = written.proposal
    try:
        made = repository.commit_file(proposal.path, _message(proposal))
    except GitError:
        _restore(project / proposal.path, former)
        raise
    return Delivered("commit", proposal, commit=made)


def open_pull_request(
    repository: Repository,
    propose: Proposer,
    env: str,
    *,
    pulls: GitHubPulls,
    describe: Describer,
    base: str = "",
) -> Delivered:
    """Push a branch with the change and open its pull request, or renew the one that is open.

    The working tree stays as it is: the commit is made on the base branch as the remote has it.

    Args:
        repository: The working tree, whose remote is pushed to.
        propose: Makes the proposal of the file as the base branch has it.
        env: The environment.
        pulls: The forge's pull requests.
        describe: Writes the pull request's text.
        base: The branch that it is for; empty takes the remote's default.

    Raises:
        UserError: The proposal is refused, or the branch holds somebody's work.
        GitError: The remote refuses.
        ForgeError: The branch is pushed, but the pull request could not be opened.
    """
    base, tip, proposal = _on_remote(repository, propose, env, base)
    there = repository.fetch(REMOTE, proposal.branch)
    if there is not None and not repository.trailer(there, _TRAILER):
        raise UserError(
            f"the branch {proposal.branch} of {REMOTE} holds a commit that is not ours "
            f"({there[:9]} {repository.subject(there)}): merge it or delete the branch first"
        )
    made = repository.commit_on(tip, proposal.path, proposal.content, _message(proposal))
    repository.push(REMOTE, made, proposal.branch, replacing=there or "")
    try:
        opened = pulls.open(
            head=proposal.branch, base=base, title=proposal.title, body=describe(proposal)
        )
    except ForgeError as error:
        raise ForgeError(
            f"{error} The branch {proposal.branch} is pushed: open its pull request by hand, or "
            "try again."
        ) from error
    return Delivered("open-pr", proposal, made, proposal.branch, opened.number, opened.url)


def push_to_base(
    repository: Repository, propose: Proposer, env: str, *, base: str = ""
) -> Delivered:
    """Commit on the base branch and push it: for teams that want no review.

    Args:
        repository: The working tree, whose remote is pushed to.
        propose: Makes the proposal of the file as the base branch has it.
        env: The environment.
        base: The branch; empty takes the remote's default.

    Raises:
        UserError: The proposal is refused.
        GitError: The remote refuses, as a protected branch does.
    """
    for attempt in range(1, _PUSHES + 1):
        base, tip, proposal = _on_remote(repository, propose, env, base)
        made = repository.commit_on(tip, proposal.path, proposal.content, _message(proposal))
        try:
            repository.push(REMOTE, made, base)
        except GitError as error:
            # Somebody pushed in between: what they did is looked at first.
            if attempt < _PUSHES and ("fetch first" in str(error) or "fast-forward" in str(error)):
                continue
            raise
        break
    return Delivered("auto", proposal, made, base)


def _on_remote(
    repository: Repository, propose: Proposer, env: str, base: str
) -> tuple[str, str, Proposal]:
    """Return the base branch, its newest commit, and the proposal of its file."""
    repository.require()
    if not repository.remote_url(REMOTE):
        raise UserError(
            f"there is no git remote {REMOTE}: add it, or leave out --open-pr and --auto"
        )
    base = base or repository.default_branch(REMOTE)
    tip = repository.fetch(REMOTE, base)
    if tip is None:
        raise UserError(f"{REMOTE} has no branch {base}: give another one with --base")
    proposal = propose(repository.show(tip, tuned_path(env)))
    _refuse_changes(repository, proposal)
    return base, tip, proposal


def _refuse_changes(repository: Repository, proposal: Proposal) -> None:
    if repository.changes(proposal.path):
        raise UserError(
            f"{proposal.path} has changes that are not committed: commit them, or discard them "
            f"with git checkout -- {proposal.path}"
        )


def _read(project: Path, env: str) -> str | None:
    try:
        return read_text(project / tuned_path(env), where=str(tuned_path(env)))
    except MissingError:
        return None


def _restore(path: Path, content: str | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, content)


def _message(proposal: Proposal) -> str:
    return f"{proposal.title}\n\n{proposal.body}\n"
