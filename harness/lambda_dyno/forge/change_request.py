"""What becomes of a proposal: a file, a commit, a pull request, or a commit on the main branch."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from lambda_dyno.core.errors import UserError
from lambda_dyno.core.files import write_atomically
from lambda_dyno.core.reading import MissingError, read_bytes
from lambda_dyno.forge.comments import ForgeError
from lambda_dyno.forge.github import GitHubPulls
from lambda_dyno.forge.proposal import Proposal
from lambda_dyno.runs.git import GitError, WorkingTree

Mode = Literal["write", "commit", "open-pr", "auto"]

REMOTE = "origin"
_TRAILER = "Dyno-Run"
_PUSHES = 3


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


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A change that is wanted of an environment's file, whatever that file says by then.

    Attributes:
        tree: The project's working tree; only `write` does without one.
        path: The file, relative to the project.
        propose: Makes the proposal of the file's content, which is None if there is no file. Its
            UserErrors are those of all methods.
        base: The remote's branch that it is for; empty takes the remote's default.
    """

    tree: WorkingTree
    path: PurePosixPath
    propose: Callable[[str | None], Proposal]
    base: str = ""

    @classmethod
    def of(
        cls,
        project: Path,
        path: PurePosixPath,
        propose: Callable[[str | None], Proposal],
        base: str,
    ) -> ChangeRequest:
        """Return a change of a file of the project in this folder."""
        return cls(WorkingTree(project), path, propose, base)

    def preview(self) -> tuple[Proposal, str]:
        """Return the proposal and what it changes, as a diff; nothing is written."""
        former = self._read()
        proposal = self.propose(former)
        path = str(proposal.path)
        lines = difflib.unified_diff(
            (former or "").splitlines(keepends=True),
            proposal.content.splitlines(keepends=True),
            "/dev/null" if former is None else f"a/{path}",
            f"b/{path}",
        )
        return proposal, "".join(lines)

    def write(self) -> Delivered:
        """Write the file into the working tree.

        Raises:
            UserError: The file has changes that are not committed.
        """
        proposal = self.propose(self._read())
        if self.tree.exists():
            self._refuse_changes(proposal)
        path = self.tree.folder / proposal.path
        mode = path.stat().st_mode & 0o777 if path.exists() else None
        write_atomically(path, proposal.content, mode=mode)
        return Delivered("write", proposal)

    def commit(self) -> Delivered:
        """Write the file and commit it, alone, on the branch that is checked out.

        Raises:
            UserError: As for `write`, or there is no working tree.
            GitError: Git refuses; the file is as it was before.
        """
        self.tree.require()
        former = self._read()
        proposal = self.write().proposal
        try:
            made = self.tree.commit_file(proposal.path, _message(proposal))
        except GitError:
            path = self.tree.folder / proposal.path
            if former is None:
                path.unlink(missing_ok=True)
            else:
                write_atomically(path, former)
            raise
        return Delivered("commit", proposal, commit=made)

    def open_pull_request(
        self, pulls: GitHubPulls, describe: Callable[[Proposal], str]
    ) -> Delivered:
        """Push a branch with the change and open its pull request, or renew the open one.

        The working tree stays as it is: the commit is made on the base branch as the remote has
        it.

        Args:
            pulls: The forge's pull requests.
            describe: Writes the pull request's text.

        Raises:
            UserError: The branch holds somebody's work.
            GitError: The remote refuses.
            ForgeError: The branch is pushed, but the pull request could not be opened.
        """
        base, tip, proposal = self._on_remote()
        existing = self.tree.fetch(REMOTE, proposal.branch)
        if existing is not None and not self.tree.trailer(existing, _TRAILER):
            raise UserError(
                f"the branch {proposal.branch} of {REMOTE} holds a commit that is not ours "
                f"({existing[:9]} {self.tree.subject(existing)}): merge it or delete the branch "
                "first"
            )
        made = self.tree.commit_on(tip, proposal.path, proposal.content, _message(proposal))
        self.tree.push(REMOTE, made, proposal.branch, replacing=existing or "")
        try:
            opened = pulls.open(
                head=proposal.branch, base=base, title=proposal.title, body=describe(proposal)
            )
        except ForgeError as error:
            raise ForgeError(
                f"{error} The branch {proposal.branch} is pushed: open its pull request by hand, "
                "or try again."
            ) from error
        return Delivered("open-pr", proposal, made, proposal.branch, opened.number, opened.url)

    def push_to_base(self) -> Delivered:
        """Commit on the base branch and push it: for teams that want no review.

        Raises:
            GitError: The remote refuses, as a protected branch does.
        """
        for attempt in range(1, _PUSHES + 1):
            base, tip, proposal = self._on_remote()
            made = self.tree.commit_on(tip, proposal.path, proposal.content, _message(proposal))
            try:
                self.tree.push(REMOTE, made, base)
            except GitError as error:
                # Somebody pushed in between: what they did is looked at first.
                overtaken = "fetch first" in str(error) or "fast-forward" in str(error)
                if attempt < _PUSHES and overtaken:
                    continue
                raise
            break
        return Delivered("auto", proposal, made, base)

    def _on_remote(self) -> tuple[str, str, Proposal]:
        """Return the base branch, its newest commit, and the proposal of its file."""
        self.tree.require()
        if not self.tree.remote_url(REMOTE):
            raise UserError(
                f"there is no git remote {REMOTE}: add it, or leave out --open-pr and --auto"
            )
        base = self.base or self.tree.default_branch(REMOTE)
        tip = self.tree.fetch(REMOTE, base)
        if tip is None:
            raise UserError(f"{REMOTE} has no branch {base}: give another one with --base")
        proposal = self.propose(self.tree.show(tip, self.path))
        self._refuse_changes(proposal)
        return base, tip, proposal

    def _refuse_changes(self, proposal: Proposal) -> None:
        if self.tree.changes(proposal.path):
            is_new = self.tree.show("HEAD", proposal.path) is None
            how = "git clean -f" if is_new else "git checkout"
            raise UserError(
                f"{proposal.path} has changes that are not committed: commit them, or discard "
                f"them with {how} -- {proposal.path}"
            )

    def _read(self) -> str | None:
        try:
            content = read_bytes(self.tree.folder / self.path, where=str(self.path))
            return content.decode()  # with its byte order mark: it stays
        except MissingError:
            return None
        except UnicodeDecodeError as error:
            raise UserError(f"{self.path}: not UTF-8: byte {error.start + 1} is none") from error


def _message(proposal: Proposal) -> str:
    return f"{proposal.title}\n\n{proposal.body}\n"
