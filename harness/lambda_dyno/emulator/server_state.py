"""What is written down about the server of a home, in its `server.json`; for its user only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from lambda_dyno.core.files import write_atomically
from lambda_dyno.core.reading import UnreadableError, read_object
from lambda_dyno.runs.identity import is_alive

ACCOUNT_CONCURRENCY = 10  # a new AWS account's; each environment is a process here
# pragma: allowlist nextline secret: of servers that older versions started, which check none
UNCHECKED = "test"


@dataclass(frozen=True, slots=True)
class ServerState:
    """Where a server listens, which processes it is, for whom, and its secret."""

    endpoint: str
    port: int
    account_id: str
    region: str
    owner_pid: int | None
    owner_identity: str | None
    pid: int = 0
    identity: str = ""
    supervisor_pid: int = 0
    supervisor_identity: str = ""
    # These with defaults: a server that an older version started must be found, and ended.
    account_concurrency: int = ACCOUNT_CONCURRENCY
    secret: str = field(default=UNCHECKED, repr=False)

    @property
    def running(self) -> bool:
        """Whether the server does."""
        return is_alive(self.pid, self.identity)

    @property
    def supervised(self) -> bool:
        """Whether there is who clears up behind it."""
        return is_alive(self.supervisor_pid, self.supervisor_identity)

    @property
    def orphaned(self) -> bool:
        """Whether its owner is gone: its supervisor is about to end it."""
        return self.owner_pid is not None and not is_alive(
            self.owner_pid, self.owner_identity or ""
        )


def file_of(home: Path) -> Path:
    """Return where the state of a home's server is."""
    return home / "server.json"


def write(home: Path, state: ServerState) -> None:
    """Write a state down; readers see the old or the new one."""
    write_atomically(file_of(home), json.dumps(asdict(state), indent=2) + "\n", mode=0o600)


def read(home: Path) -> ServerState | None:
    """Return the state that is written down; None if there is none that can be read."""
    try:
        content = read_object(file_of(home))
    except UnreadableError:
        return None
    # Imported here: most often there is no server to read of.
    from pydantic import TypeAdapter, ValidationError

    known = {each.name for each in fields(ServerState)}
    try:
        return TypeAdapter(ServerState).validate_python(
            {name: value for name, value in content.items() if name in known}
        )
    except ValidationError:
        return None  # not ours
