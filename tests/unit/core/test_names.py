"""Names: short and valid everywhere, and never the same twice."""

from __future__ import annotations

import random
import re
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lambda_dyno.core.config import parse_settings
from lambda_dyno.core.errors import UserError
from lambda_dyno.runs import run_folder

PROJECT = Path(__file__).parents[3]

# What AWS allows, by kind: the longest name, and what may be in it.
RULES = {
    "lambda": (64, r"[A-Za-z0-9_-]+"),
    "role": (64, r"[\w+=,.@-]+"),
    "table": (255, r"[A-Za-z0-9_.-]{3,}"),
    "state machine": (80, r"[A-Za-z0-9_-]+"),
    "rule": (64, r"[A-Za-z0-9_.-]+"),
    "bucket": (63, r"(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9][a-z0-9-]+[a-z0-9](?<!-s3alias)"),
    "stage": (128, r"[A-Za-z0-9_-]+"),
    "log group": (512, r"[A-Za-z0-9_/.#-]+"),
}

# What this project's modules put behind the prefix. `test_every_name_of_a_module_is_here` holds
# this list to the modules.
NAMES = {
    "-api": ["log group", "lambda"],
    "-crud-api": ["lambda", "role", "log group"],
    "-items": ["table"],
    "-packages-123456789012": ["bucket"],
    "-tuner": ["state machine"],
    "-tuner-ended": ["rule"],
    "-tuner-states": ["role"],
    **{
        f"-tuner-{state}": ["lambda", "role", "log group"]
        for state in ("prepare", "measure", "analyze", "clean-up", "optimize")
    },
}

chance = random.Random(20261121)


def any_name() -> str:
    """Return a name that the settings allow, at random."""
    letters = string.ascii_lowercase + string.digits + "-"
    return chance.choice(string.ascii_lowercase) + "".join(
        chance.choices(letters, k=chance.randint(0, 14))
    )


def test_every_allowed_name_makes_names_that_aws_allows(tmp_path: Path) -> None:
    """Whatever dyno.toml says, whichever worker: short enough, and of allowed letters."""
    made = 0
    while made < 300:
        name = any_name()
        try:
            parse_settings({"environment": {"name": name}}, "x")
        except UserError:
            continue
        made += 1
        worker = chance.choice(["", "gw0", "gw1", "gw15"])
        prefix = run_folder.create(
            tmp_path, "local", name, timedelta(1), worker=worker
        ).read_lease()
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,30}[a-z0-9]", prefix.name_prefix)  # the modules'
        for suffix, kinds in NAMES.items():
            for kind in kinds:
                longest, allowed = RULES[kind]
                full = prefix.name_prefix + suffix
                assert len(full) <= longest, (kind, full)
                assert re.fullmatch(allowed, full), (kind, full)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Dyno",
        "1st",
        "-x",
        "sixteen-letters-",
        "ünder",
        "a_b",
        "xn--a",
        "xn-",
        "sthree",
        "amzn-s3-demo",
    ],
)
def test_a_name_that_aws_would_refuse_is_refused_before(name: str) -> None:
    """By the settings, and not by Terraform half-way."""
    with pytest.raises(UserError, match="name"):
        parse_settings({"environment": {"name": name}}, "x")


def test_every_name_of_a_module_is_here() -> None:
    """A new suffix needs a line in `NAMES`."""
    found = set()
    for path in (PROJECT / "modules").glob("*/*.tf"):
        if path.parent.name in ("bootstrap", "github_oidc", "retune"):
            continue  # not of a run
        found |= set(re.findall(r'"\$\{var\.name_prefix\}(-[a-z-]+)', path.read_text()))
    known = [*NAMES, "-packages-"]
    assert all(any(name.startswith(suffix) for name in known) for suffix in found), found


def test_the_workers_of_a_session_never_share_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even on several machines at the same minute; the id tells which session it was."""
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "a-session")
    ids = []
    for number in range(40):
        folder = run_folder.create(
            tmp_path / str(number), "local", "dyno", timedelta(1), worker=f"gw{number}"
        )
        assert folder.read_lease().worker == f"gw{number}"
        assert run_folder.tags(folder.read_lease())["dyno:worker"] == f"gw{number}"
        ids.append(folder.run_id)
    assert len({run_id[-4:] for run_id in ids}) == 40
    again = run_folder.create(tmp_path / "0", "local", "dyno", timedelta(1), worker="gw0")
    assert again.run_id not in ids[:1]  # the same worker's next run, in the same minute


def test_a_run_id_says_when_it_began(tmp_path: Path) -> None:
    """To the minute; that is all that is known of something without a state or a tag."""
    before = datetime.now(UTC).replace(second=0, microsecond=0)
    run_id = run_folder.create(tmp_path, "local", "dyno", timedelta(1)).run_id
    assert run_folder.RUN_ID.fullmatch(run_id)
    began = datetime.strptime(run_id[:11], "%y%m%d-%H%M").replace(tzinfo=UTC)
    assert before <= began <= datetime.now(UTC)
