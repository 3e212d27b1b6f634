"""Git: which commit this is, what a commit holds, one file committed, a branch pushed.

A commit for a pull request is made without touching the working tree, the index or the
branch that is checked out: from git's objects, in an index of its own.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.runs.ownership import temporary_folder

_TIMEOUT_S = 120.0
_OF_REMOTES = ("ls-remote", "fetch", "push")
_OF_AUTHORS = ("commit", "commit-tree")
_NAME, _EMAIL = "Lambda Dyno", "lambda-dyno@noreply.invalid"


class GitError(StepError):
    """A git command failed.

    Attributes:
        reason: What git said.
    """

    def __init__(self, command: str, reason: str) -> None:
        super().__init__("git", f"git {command}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class WorkingTree:
    """A working tree, seen from a folder of it.

    Attributes:
        folder: The project's folder; paths are relative to it.
        environ: The process's environment.
        token: What pushes over HTTPS are authorized with; empty leaves that to git.
        server_url: Of the forge that the token is for.
    """

    folder: Path
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    token: str = field(default="", repr=False)
    server_url: str = "https://github.com"

    def exists(self) -> bool:
        """Whether the folder is in a working tree."""
        try:
            return self._run("rev-parse", "--is-inside-work-tree") == "true"
        except GitError:
            return False

    def version(self) -> str:
        """Return the commit that is checked out, with "+changes" if the working tree differs.

        Empty if there is no working tree, no commit or no git.
        """
        try:
            sha = self._run("rev-parse", "HEAD")
            return f"{sha}+changes" if self._run("status", "--porcelain") else sha
        except (GitError, UserError):
            return ""

    def branch(self) -> str:
        """Return the branch that is checked out; empty if it is a commit, or without git."""
        return self._look("symbolic-ref", "--quiet", "--short", "HEAD")

    def remote_head(self, remote: str) -> str:
        """Return the default branch of a remote as this clone knows it; empty: it does not."""
        found = self._look("symbolic-ref", "--quiet", f"refs/remotes/{remote}/HEAD")
        return found.removeprefix(f"refs/remotes/{remote}/")

    def log(self, before: str, after: str) -> list[str]:
        """Return "ID subject" of each commit that one has and another has not, newest first."""
        return self._run("log", "--format=%h %s", f"{before}..{after}", "--").splitlines()

    def changed(self, before: str, after: str) -> str:
        """Return how much two commits differ, in git's words; empty: not at all."""
        return self._run("diff", "--shortstat", before, after, "--")

    def commit_named(self, revision: str) -> str:
        """Return the commit that a branch, tag or id names; empty if none is, or without git."""
        return self._look("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")

    def has_folder(self, revision: str, path: str) -> bool:
        """Whether a commit has a folder, seen from this one."""
        return bool(self._look("ls-tree", revision, f"{path}/"))

    def archive(self, revision: str, paths: Sequence[str]) -> bytes:
        """Return folders of a commit as a tar file, without a worktree that a kill would leave."""
        return self._output("archive", "--format=tar", revision, "--", *paths)

    def require(self) -> None:
        """Make sure that there is a working tree.

        Raises:
            UserError: There is none.
        """
        if not self.exists():
            raise UserError(f"{self.folder} is no git working tree: leave out --commit or the like")

    def changes(self, path: PurePosixPath) -> bool:
        """Whether a file differs from what is committed, in the index or in the working tree."""
        status = self._run("status", "--porcelain", "--untracked-files=all", "--", str(path))
        return bool(status)

    def show(self, revision: str, path: PurePosixPath) -> str | None:
        """Return a file's content in a commit; None if it is not in it."""
        inside = self._inside(path)
        listed = self._run("ls-tree", "--full-tree", "--name-only", revision, "--", inside)
        if not listed:
            return None
        return self._run("cat-file", "blob", f"{revision}:{inside}", strip=False)

    def commit_file(self, path: PurePosixPath, message: str) -> str:
        """Commit one file on the branch that is checked out; nothing else that is staged goes in.

        Returns:
            The commit.

        Raises:
            GitError: A hook or git refuses; the index is as it was.
        """
        options = ("--quiet", "--cleanup=whitespace", "-F", "-")
        self._run("add", "--", str(path))
        try:
            self._run("commit", *options, "--", str(path), stdin=message)
        except GitError:
            self._run("reset", "--quiet", "--", str(path))
            raise
        return self._run("rev-parse", "HEAD")

    def commit_on(self, parent: str, path: PurePosixPath, content: str, message: str) -> str:
        """Make a commit that changes one file of its parent, and return it.

        No branch points at it yet, and nothing that is checked out changes.
        """
        blob = self._run("hash-object", "-w", "--stdin", stdin=content)
        with temporary_folder() as folder:
            index = {"GIT_INDEX_FILE": str(folder / "index")}
            self._run("read-tree", parent, more=index)
            entry = f"100644,{blob},{self._inside(path)}"
            self._run("update-index", "--add", "--cacheinfo", entry, more=index)
            tree = self._run("write-tree", more=index)
        return self._run("commit-tree", tree, "-p", parent, "-F", "-", stdin=message)

    def trailer(self, revision: str, name: str) -> str:
        """Return the value of a trailer of a commit's message; empty if it has none."""
        wanted = f"%(trailers:key={name},valueonly,separator=%x2C)"
        return self._run("log", "-1", f"--format={wanted}", revision)

    def subject(self, revision: str) -> str:
        """Return the first line of a commit's message."""
        return self._run("log", "-1", "--format=%s", revision)

    def default_branch(self, remote: str) -> str:
        """Return the branch that a remote's HEAD is.

        Raises:
            GitError: The remote cannot be reached, or has none.
        """
        for line in self._run("ls-remote", "--symref", remote, "HEAD").splitlines():
            target, _, name = line.partition("\t")
            if target.startswith("ref: refs/heads/") and name == "HEAD":
                return target.removeprefix("ref: refs/heads/")
        raise GitError("ls-remote", f"{remote} names no default branch; give one with --base")

    def fetch(self, remote: str, branch: str) -> str | None:
        """Fetch a branch and return its newest commit; None if the remote has no such branch."""
        ref = f"refs/heads/{branch}"
        listed = self._run("ls-remote", remote, ref)
        if not listed:
            return None
        self._run("fetch", "--quiet", "--no-tags", remote, ref)
        return self._run("rev-parse", "FETCH_HEAD")

    def push(self, remote: str, commit: str, branch: str, *, replacing: str | None = None) -> None:
        """Push a commit as a branch.

        Args:
            remote: Where to.
            commit: The commit.
            branch: The branch there.
            replacing: The commit that the branch must be at to be replaced; empty if it must
                not be there; None replaces nothing and only moves the branch forward.

        Raises:
            GitError: It is refused.
        """
        ref = f"refs/heads/{branch}"
        lease = [] if replacing is None else [f"--force-with-lease={ref}:{replacing}"]
        self._run("push", "--quiet", *lease, remote, f"{commit}:{ref}")

    def remote_url(self, remote: str) -> str:
        """Return a remote's address, without a name or password in it; empty: no such remote."""
        try:
            url = self._run("remote", "get-url", "--push", remote)
        except GitError:
            return ""
        parts = urlsplit(url)
        if not parts.hostname or parts.scheme == "ssh":
            return url
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    # How git is run

    def _inside(self, path: PurePosixPath) -> str:
        """Return a path from the top of the working tree, as git's objects have it."""
        return f"{self._run('rev-parse', '--show-prefix')}{path}"

    def _run(
        self,
        *command: str,
        stdin: str = "",
        more: Mapping[str, str] | None = None,
        strip: bool = True,
    ) -> str:
        written = os.fsdecode(self._output(*command, stdin=stdin, more=more))
        return written.strip() if strip else written

    def _output(
        self, *command: str, stdin: str = "", more: Mapping[str, str] | None = None
    ) -> bytes:
        """Run git and return what it writes.

        Raises:
            UserError: There is no git.
            GitError: It fails, or does not end in time.
        """
        try:
            done = subprocess.run(
                ["git", *command],
                cwd=self.folder,
                env={**self._environment(command[0]), **(more or {})},
                input=os.fsencode(stdin),
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except OSError as error:
            raise UserError("git is needed for this, and there is none on PATH") from error
        except subprocess.TimeoutExpired as error:
            raise GitError(command[0], f"no answer in {_TIMEOUT_S:g} s") from error
        if done.returncode != 0:
            raise GitError(command[0], self._reason(done))
        return done.stdout

    def _environment(self, command: str) -> dict[str, str]:
        """Return the environment: nobody is asked anything, and somebody is the author."""
        environment = {**self.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        environment.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
        if command in _OF_REMOTES:
            environment |= self._authorization(environment)
        if command in _OF_AUTHORS and not self._identity_is_set:
            for role in ("AUTHOR", "COMMITTER"):
                environment.setdefault(f"GIT_{role}_NAME", _NAME)
                environment.setdefault(f"GIT_{role}_EMAIL", _EMAIL)
        return environment

    @cached_property
    def _identity_is_set(self) -> bool:
        return all(self._look("config", key) for key in ("user.name", "user.email"))

    def _look(self, *command: str) -> str:
        """Return what git says; empty if it fails, or there is none."""
        try:
            return self._run(*command)
        except (GitError, UserError):
            return ""

    def _authorization(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return git settings that send the token to its own server, and to no other.

        They are in the environment: an argument could be read by everybody on the machine. A
        header that is configured already (by a checkout that kept its credentials) stays alone:
        two of them are refused.
        """
        key = f"http.{self.server_url.rstrip('/')}/.extraheader"
        if not self.token or self._look("config", "--get-all", key):
            return {}
        basic = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        told = environment.get("GIT_CONFIG_COUNT", "")
        count = int(told) if told.isdecimal() else 0
        return {
            "GIT_CONFIG_COUNT": str(count + 1),
            f"GIT_CONFIG_KEY_{count}": key,
            f"GIT_CONFIG_VALUE_{count}": f"AUTHORIZATION: basic {basic}",
        }

    def _reason(self, done: subprocess.CompletedProcess[bytes]) -> str:
        said = (done.stderr or done.stdout).decode(errors="replace").splitlines()
        lines = [line.strip() for line in said if line.strip()]
        text = "; ".join(lines[-6:]) or f"exit status {done.returncode}"
        return text.replace(self.token, "***") if self.token else text
