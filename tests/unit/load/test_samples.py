"""lambda_dyno.load.samples: from samples on disk to a result, and when it is not to be trusted."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from lambda_dyno.core import samples as samples_on_disk
from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.reading import UnreadableError
from lambda_dyno.core.results import Sample
from lambda_dyno.load import samples as load
from lambda_dyno.load.driver import DriverReport, DriverUsage
from lambda_dyno.load.schedule import describe

PROFILE = LoadSettings(virtual_users=3, ramp_up_s=1.0, duration_s=10.0)
CALM = DriverReport(
    elapsed_s=10.0,
    drivers=(DriverUsage(0.2, 4.0), DriverUsage(0.3, 5.0)),
    machine_cpu_ratio=0.4,
)


def sample(latency_ms=10.0, *, start_ms=0.0, user=0, status=200, error=""):
    return Sample(
        start_ms=start_ms,
        latency_ms=latency_ms,
        user=user,
        iteration=0,
        request="read",
        status=status,
        error=error,
    )


def line(**fields):
    return json.dumps(
        {
            "start_ms": 1.0,
            "latency_ms": 2.0,
            "user": 0,
            "iteration": 0,
            "request": "read",
            "status": 200,
            "error": "",
        }
        | fields
    )


class TestSummarise:
    def test_counts_and_latencies(self):
        """Latencies are of answered requests; requests without an answer are errors."""
        samples = [
            sample(10.0),
            sample(20.0),
            sample(30.0, status=500, error="http_500"),
            sample(5000.0, status=0, error="timeout"),
            sample(1.0, status=0, error="connection_refused"),
        ]
        result = load.summarise(
            samples, CALM, PROFILE, label="current", memory_mb=512, samples_path="load/x"
        )
        assert (result.requests, result.errors) == (5, 3)
        assert result.errors_by_kind == {"connection_refused": 1, "http_500": 1, "timeout": 1}
        assert result.latency_ms is not None
        assert (result.latency_ms.mean, result.latency_ms.max) == (20.0, 30.0)
        assert result.error_ratio == 0.6
        assert result.requests_per_s == 0.5
        assert (result.virtual_users, result.ramp_up_s, result.duration_s) == (3, 1.0, 10.0)
        assert (result.label, result.memory_mb, result.samples_path) == ("current", 512, "load/x")

    def test_busiest_driver_counts(self):
        """One process at its limit distorts its users, whatever the others do."""
        result = load.summarise([sample()], CALM, PROFILE, label="current", memory_mb=512)
        assert (result.driver_cpu_ratio, result.machine_cpu_ratio) == (0.3, 0.4)
        assert result.saturated == ""

    def test_no_answer_is_no_latency(self):
        """When nothing answered there are no percentiles, not zeros."""
        refused = [sample(status=0, error="connection_refused")]
        result = load.summarise(refused, CALM, PROFILE, label="current", memory_mb=512)
        assert (result.latency_ms, result.error_ratio) == (None, 1.0)

    def test_nothing_happened(self):
        """A test without a request has an error ratio of 1: nothing went well."""
        nothing = DriverReport(elapsed_s=0.0, drivers=(), machine_cpu_ratio=0.0)
        result = load.summarise([], nothing, PROFILE, label="current", memory_mb=512)
        assert (result.requests, result.requests_per_s, result.error_ratio) == (0, 0.0, 1.0)

    def test_waits_count(self):
        """In an open loop the latency runs from when the request was due."""
        waited = [replace(sample(10.0), wait_ms=200.0), sample(30.0)]
        result = load.summarise(waited, CALM, PROFILE, label="current", memory_mb=512)
        assert result.latency_ms is not None
        assert (result.latency_ms.p50, result.latency_ms.max) == (30.0, 210.0)

    def test_warm_up_is_left_out(self):
        """Requests that began in the first seconds are not counted, however late they ended."""
        samples = [sample(start_ms=start) for start in (0.0, 1999.9, 2000.0, 5000.0)]
        counted, left_out = load.without_warm_up(samples, 2.0)
        assert [s.start_ms for s in counted] == [2000.0, 5000.0]
        assert [s.start_ms for s in left_out] == [0.0, 1999.9]


class TestSaturation:
    @pytest.mark.parametrize(
        ("cpu", "delay_ms", "machine", "p50_ms", "words"),
        [
            pytest.param(0.80, 15.0, 0.90, 10.0, [], id="at the limits"),
            pytest.param(0.81, 5.0, 0.5, 10.0, ["driver used 81 %"], id="driver"),
            pytest.param(0.5, 5.0, 0.91, 10.0, ["machine was 91 % busy"], id="machine"),
            pytest.param(0.5, 16.0, 0.5, 10.0, ["16 ms late"], id="event loop"),
            pytest.param(0.5, 29.0, 0.5, 300.0, [], id="slow API: 29 of 300 ms is little"),
            pytest.param(0.5, 31.0, 0.5, 300.0, ["31 ms late"], id="slow API: more than a tenth"),
            pytest.param(0.99, 40.0, 0.99, 10.0, ["driver used", "machine", "late"], id="all"),
        ],
    )
    def test_says_what_was_at_its_limit(self, cpu, delay_ms, machine, p50_ms, words):
        """The sentence names what was busy and what to do; below the limits it is empty."""
        report = DriverReport(10.0, (DriverUsage(0.1, 1.0), DriverUsage(cpu, delay_ms)), machine)
        sentence = load.saturation(report, p50_ms)
        assert bool(sentence) == bool(words)
        assert all(word in sentence for word in words)
        assert not sentence or "pacing_ms" in sentence


class TestFiles:
    def test_merges_by_start(self, tmp_path):
        """Samples of all processes come in the order in which the requests started."""
        first, second = tmp_path / "0.jsonl", tmp_path / "1.jsonl"
        first.write_text(f"{line(start_ms=1.0)}\n{line(start_ms=9.0)}\n")
        second.write_text(f"{line(start_ms=5.0, user=1)}\n")
        samples = samples_on_disk.read_samples([first, second])
        assert [s.start_ms for s in samples] == [1.0, 5.0, 9.0]

    def test_writes_what_it_reads(self, tmp_path):
        """Nothing of a sample is lost on the way through a file."""
        samples = [sample(1.5), sample(2.5, start_ms=3.0, status=0, error="timeout")]
        samples_on_disk.write_samples(samples, tmp_path / "all.jsonl")
        assert samples_on_disk.read_samples([tmp_path / "all.jsonl"]) == samples

    def test_leaves_out_a_cut_off_last_line(self, tmp_path):
        """A driver killed in mid-write loses its last line and no other."""
        path = tmp_path / "0.jsonl"
        for whole in (line(), json.dumps({"request": "löschen"}, ensure_ascii=False)):
            half = whole.encode()[: whole.find("ö") + 1 or 30]  # of a letter of two bytes
            path.write_bytes(f"{line()}\n".encode() + half)
            assert len(samples_on_disk.read_samples([path])) == 1

    def test_keeps_a_whole_last_line_without_its_end(self, tmp_path):
        """Only the line break is missing: the sample counts."""
        path = tmp_path / "0.jsonl"
        path.write_text(f"{line()}\n{line()}")
        assert len(samples_on_disk.read_samples([path])) == 2

    @pytest.mark.parametrize("bad", ["{", '{"start_ms": 1}', "[]", "", "[" * 100_000])
    def test_names_a_broken_line(self, tmp_path, bad):
        """Anything else that is no sample is named by file and line, not skipped."""
        path = tmp_path / "0.jsonl"
        path.write_text(f"{line()}\n{bad}\n{line()}\n")
        with pytest.raises(UnreadableError, match=r"0\.jsonl, line 2: not a sample"):
            samples_on_disk.read_samples([path])

    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
    def test_refuses_what_is_no_file(self, tmp_path, make):
        """A pipe that nobody writes to would be waited for without end."""
        make(tmp_path / "0.jsonl")
        with pytest.raises(UnreadableError, match=r"0\.jsonl: cannot be read"):
            samples_on_disk.read_samples([tmp_path / "0.jsonl"])

    def test_refuses_what_is_too_long(self, tmp_path, monkeypatch):
        """It would not fit into memory."""
        monkeypatch.setattr(samples_on_disk, "_MOST_BYTES", 1000)
        (tmp_path / "0.jsonl").write_text(f"{line()}\n" * 20)
        with pytest.raises(UnreadableError, match=r"0\.jsonl: longer than 1,000 bytes"):
            samples_on_disk.read_samples([tmp_path / "0.jsonl"])

    def test_takes_the_parts_of_one_test(self, tmp_path):
        """In whatever parts the driver wrote them; they are gone then, and no other test's."""
        for name in ("current-0", "current-1", "recommended-0"):
            (tmp_path / f"{name}.part.jsonl").write_text(f"{line()}\n")
        assert len(load.take_parts(tmp_path, "current")) == 2
        assert [path.name for path in tmp_path.iterdir()] == ["recommended-0.part.jsonl"]

    def test_of_an_empty_file(self, tmp_path):
        """A process that made no request leaves an empty file."""
        (tmp_path / "0.jsonl").touch()
        assert samples_on_disk.read_samples([tmp_path / "0.jsonl"]) == []


class TestWarmUp:
    def test_what_begins_in_it_is_counted_apart(self):
        """Neither in the requests nor in the errors, nor in the time that the rate is of."""
        profile = PROFILE.model_copy(update={"warm_up_s": 2.0})
        every = [
            sample(900.0, start_ms=1999.0, status=500, error="http_500"),
            sample(10.0, start_ms=2000.0),
            sample(20.0, start_ms=9000.0),
        ]
        counted, left_out = load.without_warm_up(every, 2.0)
        result = load.summarise(
            counted, CALM, profile, label="current", memory_mb=512, left_out=left_out
        )
        assert (result.requests, result.errors, result.latency_ms.max) == (2, 0, 20.0)
        assert (result.warm_up_s, result.warm_up_requests, result.warm_up_errors) == (2.0, 1, 1)
        assert result.requests_per_s == 2 / 8
        assert (result.loop, result.profile) == ("closed", describe(profile))

    def test_a_second_test_is_appended_behind_the_first(self):
        """Later, and by other users: its connections are others; nobody stays nobody."""
        first = [sample(10.0, start_ms=5.0, user=1)]
        second = [sample(1.0, start_ms=0.0, user=0), sample(0.0, start_ms=3.0, user=-1)]
        assert [(s.start_ms, s.user) for s in load.appended(first, second)] == [
            (5.0, 1),
            (15.0, 2),
            (18.0, -1),
        ]


def asked(name: str, start_ms: float, latency_ms: float, **more: object) -> Sample:
    """A request of the collection by its name."""
    return replace(sample(latency_ms, start_ms=start_ms, **more), request=name)


def test_each_request_of_the_collection_has_its_own_figures():
    """A slow one is no longer hidden among fast ones; one without an answer has no latency."""
    asks = [asked("list", 100 * i, 300.0) for i in range(20)]
    asks += [asked("ping", 100 * i, 10.0, error="status" if i else "") for i in range(2)]
    asks += [asked("gone", 0.0, 5000.0, status=0, error="timeout")]
    slow, fast, gone = load.by_request(asks)
    assert (slow.name, slow.requests, slow.errors, slow.p95_ms) == ("list", 20, 0, 300.0)
    assert (fast.name, fast.requests, fast.errors, fast.max_ms) == ("ping", 2, 1, 10.0)
    assert (gone.requests, gone.errors, gone.p50_ms) == (1, 1, None)


def test_a_load_test_over_time():
    """By whole seconds; a last second that is cut short is left out, its rate being no rate."""
    asks = [asked("x", 1000 * s + 100 * i, 10.0 + s) for s in range(3) for i in range(5)]
    first, second = load.timeline([*asks[:10], *asks[10:11]])
    assert (first.start_s, first.requests_per_s, first.p50_ms, first.errors) == (0.0, 5.0, 10.0, 0)
    assert (second.start_s, second.p95_ms) == (1.0, 11.0)
    assert load.timeline([]) == ()
    assert len(load.timeline([asked("x", 1000.0 * i, 1.0) for i in range(3600)])) == 60
