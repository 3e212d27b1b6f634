"""load.drivers.newman: what it asks of this machine and hands to its driver; Node.js is a fake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lambda_dyno.core import assets
from lambda_dyno.core.config import LoadSettings
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.load import collection_files, load_test
from lambda_dyno.load.driver import Api, ApiCredentials
from lambda_dyno.load.drivers import newman

KEYS = ApiCredentials("AKIAEXAMPLE", "very-secret-key", "very-secret-token")


@pytest.fixture
def fake_node(tmp_path, monkeypatch):
    """A function that puts a `node` of the given version and shell commands on PATH."""

    def make(version, commands="cat > /dev/null"):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        node = folder / "node"
        node.write_text(
            f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; exit; fi\n{commands}\n'
        )
        node.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return node

    return make


def smoke(tmp_path, *, base_url="http://127.0.0.1:9/v1", credentials=None, **arguments):
    return newman.smoke(
        Api(base_url, "eu-west-1", credentials),
        collection_files.own("smoke"),
        **{"log": tmp_path / "logs" / "smoke.log", "timeout_s": 20} | arguments,
    )


class TestCheckNode:
    @pytest.mark.parametrize("version", ["v20.0.0", "v22.11.0", "v24.0.0-nightly1"])
    def test_takes_new_enough_versions(self, fake_node, version):
        """Node.js 20 and newer will do."""
        fake_node(version)
        assert newman.check() == version[1:]

    @pytest.mark.parametrize("version", ["v18.20.4", "v4.9.1", "", "hello"])
    def test_refuses_others(self, fake_node, version):
        """An old Node.js is named with its path and what is needed."""
        node = fake_node(version)
        with pytest.raises(UserError, match=r"Node\.js 20 or newer") as caught:
            newman.check()
        assert str(node) in str(caught.value)

    def test_refuses_none(self, monkeypatch, tmp_path):
        """No Node.js is the user's to mend."""
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(UserError, match="no `node` on PATH"):
            newman.check()

    def test_refuses_a_missing_newman(self, fake_node, monkeypatch, tmp_path):
        """It is fetched, and where that cannot be the message says what to install."""
        fake_node("v20.0.0")
        self.is_nowhere(monkeypatch, tmp_path)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        told = r"Newman cannot be fetched: there is no `npm` on PATH\. .*`npm install newman`"
        with pytest.raises(UserError, match=told):
            newman.check()
        assert [(need.name, need.is_there) for need in newman.needs()] == [
            ("Node.js", True),
            ("Newman", False),
        ]

    def test_fetches_a_missing_newman(self, fake_node, monkeypatch, tmp_path, capsys):
        """Once; then it is the one that the driver's processes find."""
        fake_node("v20.0.0")
        self.is_nowhere(monkeypatch, tmp_path)
        npm = tmp_path / "bin" / "npm"
        npm.write_text(
            "#!/bin/sh\nmkdir -p node_modules/newman\n"
            """echo '{"version": "6.2.2"}' > node_modules/newman/package.json\n"""
        )
        npm.chmod(0o755)
        (_, need) = newman.needs()
        assert need.text.startswith("fetched by npm before the first")
        assert newman.check() == "20.0.0"
        assert capsys.readouterr().err.startswith("setup: Newman into ")
        newman.check()
        assert capsys.readouterr().err == ""
        (_, need) = newman.needs()
        (modules,) = (tmp_path / "xdg" / "lambda-dyno" / "newman").glob("newman-*/node_modules")
        assert need.text == f"6.2.2, {modules}"
        api = Api("https://x.example/v1", "eu-west-1")
        assert newman._environment(api)["NODE_PATH"].split(os.pathsep)[0] == str(modules)

    @staticmethod
    def is_nowhere(monkeypatch, folder):
        """Let there be no Newman yet, for somebody who has only the package."""
        for name in ("package.json", "package-lock.json"):
            (folder / name).write_text("{}")
        monkeypatch.setattr(newman, "_ROOT", folder)
        monkeypatch.setattr(assets, "checkout", lambda: None)
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "xdg"))
        monkeypatch.chdir(folder)

    def test_comes_before_anything_else(self, fake_node, tmp_path):
        """A smoke test with an old Node.js starts nothing."""
        started = tmp_path / "started"
        fake_node("v18.0.0", f"touch {started}")
        with pytest.raises(UserError):
            smoke(tmp_path)
        assert not started.exists()


class TestDriverFails:
    @pytest.mark.parametrize(
        ("commands", "words"),
        [
            pytest.param("echo boom >&2; exit 3", ["status 3", "boom"], id="an exit status"),
            pytest.param("kill -9 $$", ["status -9"], id="killed"),
            pytest.param("cat > /dev/null", ["status 0"], id="no result"),
            pytest.param(
                "yes | head -c 300000 | tr -d '\\n' >&2; exit 1", ["status 1"], id="a full pipe"
            ),
        ],
    )
    def test_is_an_error_with_its_last_words(self, fake_node, tmp_path, commands, words):
        """Whatever way the driver ends without a result, the step fails and says how."""
        fake_node("v20.0.0", commands)
        with pytest.raises(StepError) as caught:
            smoke(tmp_path)
        assert caught.value.step == "smoke"
        assert all(word in str(caught.value) for word in words)
        assert str(tmp_path / "logs" / "smoke.log") in caught.value.hint
        assert len(str(caught.value)) < 2000

    def test_too_late_is_an_error(self, fake_node, tmp_path, monkeypatch):
        """A driver that hangs is stopped at its deadline."""
        monkeypatch.setattr(newman, "_SMOKE_SLACK_S", 0.0)
        fake_node("v20.0.0", "exec sleep 60")
        with pytest.raises(StepError, match="did not end within"):
            smoke(tmp_path, timeout_s=0.3, ready_s=0.0)

    def test_a_broken_listener_does_not_block_the_driver(self, fake_node, tmp_path):
        """An error of the caller's own reaches the caller, after the driver's end."""
        event = '{"event":"waiting","request":"ping","last":"403","elapsed_s":1,"timeout_s":5}'
        fake_node("v20.0.0", f"cat > /dev/null\nfor i in 1 2 3; do echo '{event}'; done")

        def broken(_not_ready):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            smoke(tmp_path, on_wait=broken)

    def test_samples_of_a_failed_load_test_are_kept(self, fake_node, tmp_path):
        """What was measured until the driver died is in the samples file."""
        line = (
            '{"start_ms":1,"latency_ms":2,"user":0,"iteration":0,"request":"x",'
            '"status":200,"error":""}'
        )
        part = tmp_path / "load" / "current-0.part.jsonl"
        fake_node("v20.0.0", f"echo '{line}' > {part}; exit 1")
        with pytest.raises(StepError) as caught:
            load_test.run(
                LoadSettings(virtual_users=1, ramp_up_s=0.0, duration_s=1.0),
                Api("http://127.0.0.1:9", "eu-west-1"),
                collection_files.own("load"),
                label="current",
                memory_mb=128,
                folder=tmp_path / "load",
            )
        assert caught.value.step == "load"
        assert (tmp_path / "load" / "current.jsonl").read_text().count("\n") == 1
        assert not part.exists()


class TestSecrets:
    def test_go_through_the_environment_alone(self, fake_node, tmp_path):
        """Neither the argument list, nor stdin, nor any file has a key."""
        seen = tmp_path / "seen"
        fake_node("v20.0.0", f'echo "$@" > {seen}; cat >> {seen}; env | grep AWS_ > {seen}.env')
        with pytest.raises(StepError):
            smoke(tmp_path, credentials=KEYS)
        assert "baseUrl" in seen.read_text()
        assert "secret" not in seen.read_text()
        assert "very-secret-key" in Path(f"{seen}.env").read_text()
        assert "secret" not in (tmp_path / "logs" / "smoke.log").read_text()

    def test_an_open_api_gets_none(self, fake_node, tmp_path, monkeypatch):
        """The user's own keys are not handed on where nothing is signed."""
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-users")
        seen = tmp_path / "seen"
        fake_node("v20.0.0", f"cat > /dev/null; env > {seen}")
        with pytest.raises(StepError):
            smoke(tmp_path)
        assert "the-users" not in seen.read_text()

    def test_are_not_shown(self):
        """A traceback that prints the keys' record shows no secret."""
        assert "secret-" not in repr(KEYS)


@pytest.mark.parametrize(
    ("base_url", "before", "after"),
    [
        ("http://127.0.0.1:4566/v1", None, "127.0.0.1"),
        ("http://127.0.0.1:4566/v1", "example.com", "example.com,127.0.0.1"),
        ("http://localhost:4566/v1", None, "localhost"),
        ("http://[::1]:4566/v1", None, "::1"),
        ("https://x.execute-api.eu-west-1.amazonaws.com/v1", "example.com", "example.com"),
    ],
)
def test_this_machine_needs_no_proxy(fake_node, tmp_path, monkeypatch, base_url, before, after):
    """The user's proxy is for other hosts: requests to this machine do not go through it."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        if before:
            monkeypatch.setenv(name, before)
    seen = tmp_path / "seen"
    fake_node("v20.0.0", f'cat > /dev/null; echo "$NO_PROXY $no_proxy" > {seen}')
    with pytest.raises(StepError):
        smoke(tmp_path, base_url=base_url)
    assert seen.read_text() == f"{after} {after}\n"


class TestPrepared:
    DONE = r'"{\"event\":\"done\",\"requests\":$$,\"assertions\":0,\"failures\":[],\"skipped\":0}"'
    JOBS = f"""while read line; do
  echo "$line" >> "$SEEN.$$"
  case $line in *prepare*) ;; *) echo {DONE} ;; esac
done"""
    API = Api("http://127.0.0.1:1/other", "eu-west-1")

    @pytest.fixture
    def node(self, fake_node, monkeypatch, tmp_path):
        """A Node.js that answers one job after the other; returns what each process was told."""
        monkeypatch.setenv("SEEN", str(tmp_path / "seen"))

        def seen():
            files = tmp_path.glob("seen.*")
            return {int(file.suffix[1:]): file.read_text().splitlines() for file in files}

        fake_node("v20.0.0", self.JOBS)
        return seen

    def test_all_jobs_of_a_run_have_one_driver(self, node, tmp_path):
        """It gets ready before the first. Other keys are another environment, and another one."""
        with newman.prepared(self.API) as get_ready:
            get_ready()
            get_ready()
            first, second = (smoke(tmp_path, ready_s=0.0).requests for _ in range(2))
            third = smoke(tmp_path, ready_s=0.0, credentials=KEYS).requests
        assert first == second != third
        assert ['"prepare"' in line for line in node()[first]] == [True, False, False]
        assert len(node()) == 2
        assert not Path(f"/proc/{first}").exists()

    def test_without_that_each_job_has_its_own(self, node, tmp_path):
        """And so it is for who comes after a run."""
        with newman.prepared(self.API):
            one = smoke(tmp_path, ready_s=0.0).requests
        others = {smoke(tmp_path, ready_s=0.0).requests for _ in range(2)}
        assert len({one, *others}) == 3
        assert all('"kept": false' in node()[pid][0] for pid in others)

    def test_what_a_job_said_is_in_its_own_log(self, node, tmp_path):
        """One process writes to the log of the job that it is at."""
        with newman.prepared(self.API):
            logs = [tmp_path / name for name in ("a.log", "b.log")]
            for log in logs:
                smoke(tmp_path, ready_s=0.0, log=log)
        assert [log.read_text().count("done") for log in logs] == [1, 1]

    def test_one_that_has_ended_is_no_loss(self, fake_node, node, tmp_path):
        """Nor is one that ends in the middle: that job fails, and the next has another."""
        fake_node("v20.0.0", "exit 1")
        with newman.prepared(self.API) as get_ready:
            get_ready()
            with pytest.raises(StepError, match="ended with status 1"):
                smoke(tmp_path, ready_s=0.0)
            fake_node("v20.0.0", self.JOBS)
            assert smoke(tmp_path, ready_s=0.0).requests

    def test_a_machine_without_node_says_so_when_it_is_needed(self, monkeypatch, tmp_path):
        """Getting ready is no job."""
        monkeypatch.setenv("PATH", str(tmp_path))
        with newman.prepared(self.API) as get_ready:
            get_ready()
            with pytest.raises(UserError, match="no `node` on PATH"):
                smoke(tmp_path)

    def test_a_job_that_takes_too_long_ends_the_driver(self, fake_node, tmp_path, monkeypatch):
        """What it left would be in the next job."""
        monkeypatch.setattr(newman, "_SMOKE_SLACK_S", 0.0)
        fake_node("v20.0.0", "exec sleep 600")
        with newman.prepared(self.API):
            with pytest.raises(StepError, match=r"did not end within 0\.2 s"):
                smoke(tmp_path, ready_s=0.0, timeout_s=0.2)
            fake_node("v20.0.0", f"read line; echo {self.DONE}")
            assert smoke(tmp_path, ready_s=0.0).requests
