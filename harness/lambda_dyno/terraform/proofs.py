"""What was shown once for the files of a root, on this machine, and is not shown again.

Only for an embedded AWS, where a run meets nobody: what Terraform does follows from the files.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

from lambda_dyno.terraform.command import Change

# What differs from run to run, and decides nothing: the run's own variables come last of all, since
# the root's own prod.auto.tfvars must not give a run production's name_prefix.
VARIABLES = "zz-dyno.auto.tfvars.json"
MEMORY_VARIABLES = "zz-memory.auto.tfvars.json"
_LOCK = ".terraform.lock.hcl"
_STATE = "terraform.tfstate"
_NOT_OF_ROOT = frozenset(
    {".terraform", VARIABLES, MEMORY_VARIABLES, _STATE, f"{_STATE}.backup", f".{_STATE}.lock.info"}
)
_OF_A_SIZE = {("update", "aws_lambda_function"), ("update", "aws_lambda_alias")}


class Proof:
    """That something holds for a root.

    Args:
        what: Names it: "planned-roots" can be used, "sized-roots" only update a function and its
            alias for another memory size.
        cache: Folder of downloads.
        copies: Folder of a run's copies of the root and of what it refers to.
        place: Where it is made.
    """

    def __init__(self, what: str, cache: Path, copies: Path, place: str) -> None:
        self._file = cache / what / _hash_of_root(copies, place)

    @property
    def is_there(self) -> bool:
        """Whether it was shown."""
        return self._file.exists()

    def keep(self) -> None:
        """Note that it was shown."""
        self._file.parent.mkdir(exist_ok=True)
        self._file.touch()


class Initialised:
    """What `terraform init` made of a root with modules of its own and a provider of this machine.

    Args:
        cache: As in `Proof`, as are `copies` and `place`.
        root: Folder of the root among the copies; not initialised yet.
    """

    def __init__(self, cache: Path, copies: Path, place: str, root: Path) -> None:
        self._root = root
        self._kept = cache / "initialised-roots" / _hash_of_root(copies, place)

    def restore(self) -> bool:
        """Put it into the root, and return whether it is whole."""
        links = [path for path in self._kept.rglob("*") if path.is_symlink()]
        if not links or not all(link.exists() for link in links):
            return False
        shutil.copytree(self._kept, self._root, symlinks=True, dirs_exist_ok=True)
        return True

    def keep(self) -> None:
        """Keep it, unless it has files that somebody else may change: modules from elsewhere."""
        inside = self._root / ".terraform"
        files = {path for path in inside.rglob("*") if path.is_file()}
        own = {inside / "modules" / "modules.json", inside / _STATE}
        if self._kept.exists() or {path for path in files - own if path.resolve() == path}:
            return
        draft = self._kept.with_suffix(f".{self._root.parents[1].parent.name}")
        try:
            shutil.copytree(inside, draft / inside.name, symlinks=True)
            shutil.copy(self._root / _LOCK, draft)
            draft.rename(self._kept)
        except OSError:  # a full disk, or somebody else was quicker
            shutil.rmtree(draft, ignore_errors=True)


def is_size_alone(changes: Collection[Change]) -> bool:
    """Whether Terraform only updated a function and its alias."""
    kinds = {(change.action, change.address.rpartition(".")[0]) for change in changes}
    kinds = {(action, kind.rpartition(".")[2]) for action, kind in kinds}
    addresses = {change.address for change in changes}
    return len(addresses) == len(_OF_A_SIZE) and kinds == _OF_A_SIZE


def _hash_of_root(copies: Path, place: str) -> str:
    """Return a hash of what a root makes, whatever the run is called."""
    digest = hashlib.sha256(place.encode())
    for path in sorted(copies.rglob("*")):
        if path.is_file() and not _NOT_OF_ROOT & {path.name, *path.relative_to(copies).parts}:
            digest.update(f"\0{path.relative_to(copies).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
