"""Opening a run that is there: whose it is, before anything is done with it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lambda_dyno.core.config import Settings
from lambda_dyno.core.errors import UserError
from lambda_dyno.report.terminal import TerminalUi
from lambda_dyno.run.run import Run
from lambda_dyno.runs import run_folder

_NOWHERE = {
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def test_without_its_credentials_a_standing_run_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, before a step begins and notes anything; its report needs none."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in _NOWHERE.items():
        monkeypatch.setenv(name, value)
    folder = run_folder.create(
        tmp_path / "runs",
        "dev",
        "dyno",
        timedelta(hours=1),
        account_id="123456789012",
        region="eu-west-1",
        settings=Settings().model_dump(),
    )
    folder.update_lease(state="up")
    with pytest.raises(UserError, match="no AWS credentials"):
        Run.open(tmp_path, folder.run_id, TerminalUi())
    assert (
        Run.open(tmp_path, folder.run_id, TerminalUi(), standing=False).account.region
        == "eu-west-1"
    )
