"""What of a run's folder leaves the machine, and what never does."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from lambda_dyno.core.results import RunResult
from lambda_dyno.evidence import contents
from tests.support import report_samples as samples

# pragma: allowlist nextline secret: made up
KEY = "AKIA" + "Q" * 16


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder with a bit of everything."""
    for name in (
        "report.html",
        "report.md",
        "report.pdf",
        "junit.xml",
        "power_values.csv",
        "memory-summary.md",
        "newman.html",
        "load-128MB.pdf",
        "charts/power.svg",
        "charts/power.png",
        "load/current.jsonl",
        # and what is none of anybody's business
        "lease.json",
        "lock",
        "progress.json",
        "workload.json",
        "reserve",
        "charts/other.txt",
        "load/current.log",
        "load/x.part.jsonl",
        "logs/terraform-apply.log",
        "terraform/envs/dev/terraform.tfstate",
        "build/crud_api.zip",
        "local/server.log",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    return tmp_path


RUN = samples.run()


def test_reports_charts_latencies_and_the_result_are_evidence(folder: Path) -> None:
    """States, leases, logs, packages and what was sent are not."""
    found = contents.of_run(RUN, folder)
    assert set(found.files) >= {
        "result.json",
        "report.html",
        "report.md",
        "junit.xml",
        "power_values.csv",
        "memory-summary.md",
        "charts/power.svg",
        "charts/power.png",
        "load/current.jsonl.gz",
    }
    assert found.left == {}
    no_evidence = (
        "lease",
        "lock",
        "progress",
        "workload",
        "reserve",
        "log",
        "tfstate",
        "zip",
        "part",
    )
    assert [name for name in found.files if any(word in name for word in no_evidence)] == []
    assert gzip.decompress(found.files["load/current.jsonl.gz"]) == b"load/current.jsonl\n"
    # the same files are the same bytes, whenever they are read
    assert contents.of_run(RUN, folder).files == found.files


def with_payload() -> RunResult:
    settings = {**RUN.settings, "tuning": {"payload": {"who": "Ann Example"}, "num": 5}}
    return replace(RUN, settings=settings)


def test_a_result_has_payloads_as_hashes(folder: Path) -> None:
    """It can be read as any result, and the run on this machine has them still."""
    found = json.loads(contents.of_run(with_payload(), folder).files["result.json"])
    assert "Ann Example" not in json.dumps(found)
    assert found["settings"]["tuning"]["payload"].startswith("sha256:")
    assert found["settings"]["tuning"]["num"] == 5
    assert found["run_id"] == RUN.run_id


def test_a_file_with_a_key_or_token_stays(folder: Path) -> None:
    """And with the page every PDF, which is packed."""
    (folder / "load" / "current.jsonl").write_text(f'{{"header": "{KEY}"}}\n')
    (folder / "junit.xml").write_text("-----BEGIN RSA " + "PRIVATE KEY-----")
    left = contents.of_run(RUN, folder).left
    assert left.keys() == {"load/current.jsonl.gz", "junit.xml"}
    assert set(left.values()) == {"a key or token seems to be in it"}
    (folder / "report.md").write_text(f"it said {KEY}")
    found = contents.of_run(RUN, folder)
    assert "report.md" in found.left
    assert not [name for name in found.files if name.endswith(".pdf")]
    assert KEY.encode() not in b"".join(found.files.values())


def test_what_is_too_long_or_no_file_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link leads nowhere else."""
    monkeypatch.setattr(contents, "_MOST_RAW", 100_000)
    (folder / "report.html").write_bytes(b"x" * 100_001)
    secret = folder / "lease.json"
    (folder / "charts" / "link.svg").symlink_to(secret)
    (folder / "load" / "link.jsonl").symlink_to(secret)
    found = contents.of_run(RUN, folder)
    assert found.left == {"report.html": "longer than 100,000 bytes"}
    assert not [name for name in found.files if "link" in name]
