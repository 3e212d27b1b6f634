"""Uploads that are cut, refused, stalled and done again: nothing is lost, and nobody waits long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambda_dyno.evidence import outbox, sending
from lambda_dyno.evidence.bucket import Bucket
from lambda_dyno.evidence.location import Place, Store
from lambda_dyno.evidence.outbox import Entry
from tests.support import s3_server
from tests.support.s3_server import S3Server
from tests.support.waiting import HANGS_S

RECORD = "261201-1000-k3f9_run_0123abcd"
EVIDENCE = {f"charts/{number}.svg": b"x" * 100_000 + bytes([number]) for number in range(4)}
ROWS = {"runs": b"PAR1 runs", "tunings": b"PAR1 tunings"}
KEYS = 7  # with the manifest


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server that this process's AWS is."""
    with s3_server.running() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield server


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    """A record that waits."""
    place = Place("dev", "pr/12")
    return outbox.add(tmp_path, RECORD, Store("acme", "shop/"), place, EVIDENCE, ROWS)


def send(entry: Entry) -> sending.Sent:
    return sending.send(entry, Bucket(entry.store), lambda *_: None)


def waiting(entry: Entry) -> list[Entry]:
    return list(outbox.entries(entry.folder.parents[1], print))


def expected(entry: Entry) -> dict[str, bytes]:
    return {f"acme/{entry.key(file)}": path.read_bytes() for path, file in entry.left}


def test_all_of_a_record_is_added_in_order(s3: S3Server, entry: Entry) -> None:
    """The row in `runs` is the last, so a record is in the store whole or not at all."""
    wanted = expected(entry)
    assert send(entry) == sending.Sent(added=KEYS)
    assert s3.objects == wanted
    assert s3.asked == list(wanted)
    assert s3.asked[-1] == f"acme/shop/dev/pr/12/rows/v1/runs/{RECORD}.parquet"
    assert waiting(entry) == []


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
def test_a_connection_that_is_lost_in_the_middle_loses_nothing(
    s3: S3Server, entry: Entry, cut: int
) -> None:
    """Fewer cuts than tries nobody sees; of more the rest waits, and another command adds it."""
    wanted = expected(entry)
    s3.cut = cut
    first = send(entry)
    if cut < 3:
        assert first == sending.Sent(added=KEYS)
    else:
        assert first.added == 0 and "does not answer" in first.problem
        (left,) = waiting(entry)
        assert left.problem == first.problem and len(left.left) == KEYS
        while waiting(entry):
            send(left)
    assert s3.objects == wanted
    assert waiting(entry) == []


def test_an_answer_that_is_lost_is_no_second_object(s3: S3Server, entry: Entry) -> None:
    """It is there already, and that is as good."""
    s3.cut_after = 1
    assert send(entry) == sending.Sent(added=KEYS - 1, there=1)
    assert waiting(entry) == []


def test_a_refusal_says_who_may(s3: S3Server, entry: Entry) -> None:
    """What was added before it stays, and is not sent again."""
    send_one = entry.left[0]
    s3.refused = 0
    assert Bucket(entry.store).add(
        entry.key(send_one[1]), send_one[0].read_bytes(), send_one[1].sha256
    )
    s3.refused = 1
    refused = send(entry)
    assert "may not add there (dyno bootstrap --evidence" in refused.problem
    assert refused.problem.count("\n") == 0
    assert send(entry) == sending.Sent(added=KEYS - 1, there=1)


def test_what_is_there_already_stays(s3: S3Server, entry: Entry) -> None:
    """Whatever is in it."""
    first = next(iter(expected(entry)))
    s3.objects[first] = b"another one's"
    assert send(entry) == sending.Sent(added=KEYS - 1, there=1)
    assert s3.objects[first] == b"another one's"


def test_two_commands_at_once_add_each_file_once(s3: S3Server, entry: Entry) -> None:
    """Neither fails, and the entry is gone."""
    wanted, sent = expected(entry), []
    threads = [threading.Thread(target=lambda: sent.append(send(entry))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANGS_S)
    assert [found.problem for found in sent] == [""] * 4
    assert sum(found.added for found in sent) == KEYS
    assert s3.objects == wanted
    assert waiting(entry) == []


def test_a_network_that_says_nothing_holds_nobody_up(s3: S3Server, entry: Entry) -> None:
    """The rest waits, and a push adds it."""
    wanted = expected(entry)
    s3.stalls = True
    began = time.monotonic()
    sent = sending.send_within(entry, lambda *_: None, most_s=0.3)
    assert time.monotonic() - began < 10  # and not the 60 s of the server
    assert sent.problem == "not within 0.3 s"
    (left,) = waiting(entry)
    assert left.problem == sent.problem
    s3.stalls = False
    send(left)
    assert s3.objects == wanted


def test_nobody_is_there(entry: Entry, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as without credentials: one line."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    sent = sending.send_within(entry, lambda *_: None)
    assert "Unable to locate credentials" in sent.problem
    assert s3.asked == []
    assert len(waiting(entry)) == 1
