"""plugin.hooks in sessions that deploy nothing: options, header, markers, skips, failures."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from lambda_dyno.plugin import options, session, slo, summary, workers
from tests.support.git_commands import commit_all

# pytester forgets what is imported inside of a session; imported here, it stays.
STAYS = (options, session, slo, summary, workers)
SLOW = pytest.mark.slow

pytest_plugins = ["pytester"]

ROOT = 'variable "name_prefix" { type = string }\noutput "function_arn" { value = "arn" }\n'
SETTINGS = """
[environment]
emulated = true

[tuning]
power_values = [128, 512]

[slo]
latency_p95_ms = 250.0
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of somebody else, with one environment."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    folder = pytester.mkdir("envs") / "mine"
    folder.mkdir()
    (folder / "main.tf").write_text(ROOT)
    (folder / "dyno.toml").write_text(SETTINGS)
    pytester.makeini("[pytest]\naddopts = --strict-markers -p no:cacheprovider\n")
    return pytester


def test_without_an_environment_gates_are_skipped_with_the_reason(
    project: pytest.Pytester,
) -> None:
    """A plain `pytest` deploys nothing, and other tests do not notice."""
    project.makepyfile("def test_gate(tuning_result, slo): slo.check(tuning_result)\ndef test(): 1")
    result = project.runpytest_inprocess("-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*give --env NAME*"])
    result.stdout.no_fnmatch_line("dyno:*")
    assert not (project.path / "runs").exists()


@pytest.mark.parametrize("option", ["--env", "--dyno-env"])
def test_the_header_shows_what_is_measured_and_by_which_limits(
    project: pytest.Pytester, option: str
) -> None:
    """Both spellings are the same option."""
    project.makepyfile("def test(): pass")
    result = project.runpytest_inprocess(option, "mine", "--run-dir", "evidence")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "dyno: env mine on the embedded AWS; evidence in *evidence",
            "dyno: tuning 128, 512 MB, 10 invocations each, balanced",
            "dyno: load closed loop, 10 users*",
            "dyno: slo p95 250 ms; at 95 % confidence, at most 3 rounds; inconclusive is a fail",
        ]
    )


def test_an_option_of_the_projects_own_conftest_stays_its_own(project: pytest.Pytester) -> None:
    """Many projects have an --env; ours is then --dyno-env alone."""
    project.makeconftest(
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--env', choices=['red', 'blue'], default='red')\n"
    )
    project.makepyfile("def test(request): assert request.config.getoption('--env') == 'blue'")
    result = project.runpytest_inprocess("--env", "blue", "--dyno-env", "mine")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["dyno: --env belong*use --dyno-..."])


def test_a_folder_named_like_an_environment_is_not_taken_for_tests(
    project: pytest.Pytester,
) -> None:
    """`--env mine` beside a folder `mine`: the conftest.py of the tests is still read first."""
    project.mkdir("mine")
    tests = project.mkdir("tests")
    (tests / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--colour', default='red')\n"
    )
    (tests / "test_it.py").write_text(
        "def test(request): assert request.config.getoption('--colour') == 'blue'\n"
    )
    project.makeini("[pytest]\ntestpaths = tests\naddopts = -p no:cacheprovider\n")
    project.runpytest_inprocess("--env", "mine", "--colour", "blue").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "yours"], "*ENV=yours: no such environment. Known: mine.*"),
        (["--env", "mine"], "*envs/mine/dyno.toml: ?slo? latency_p96_ms: unknown key; allowed:*"),
    ],
)
def test_a_mistake_is_one_clear_error_before_any_test(
    project: pytest.Pytester, arguments: list[str], message: str
) -> None:
    """Exit status 4, as pytest has it for all mistakes on the command line."""
    settings = project.path / "envs" / "mine" / "dyno.toml"
    settings.write_text(SETTINGS.replace("p95", "p96"))
    project.makepyfile("def test(): raise SystemError")
    result = project.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_baseline_that_is_not_there_is_one_clear_error(project: pytest.Pytester) -> None:
    """Before anything is deployed or a test is collected."""
    project.makepyfile("def test(): raise SystemError")
    result = project.runpytest_inprocess("--env", "mine", "--baseline", "mian")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*baseline mian: neither a branch, a tag or a commit of*"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run-dir", "file"], "*file: runs cannot be kept there: it is not a folder"),
        (["--run-dir", "file/runs"], "*file: runs cannot be kept there: it is not a folder"),
        (["--baseline", "x" * 3000], '*?regression? baseline: "xxx*must be up to 2048*'),
        (["--baseline", "a\x1bb"], "*?regression? baseline: *must be up to 2048 printable*"),
        (["--env", "a\nb"], r"*ENV=a\nb: no such environment*"),
    ],
    ids=str,
)
def test_a_wrong_value_of_an_option_is_one_clear_error(
    project: pytest.Pytester, arguments: list[str], message: str
) -> None:
    """Before any test, and in a line."""
    (project.path / "file").touch()
    project.makepyfile("def test(): raise SystemError")
    result = project.runpytest_inprocess("--env", "mine", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        pytest.param(
            "slo(latency_p95_ms=float('nan'))", "*latency_p95_ms: NaN is not allowed*", marks=SLOW
        ),
        ("slo(latency_p95_ms=float('inf'))", "*latency_p95_ms: Infinity is not allowed*"),
        pytest.param("load(pacing_ms=2**31)", "*pacing_ms: 2147483648 is not allowed*", marks=SLOW),
        ("tuning(payload=float('inf'))", "*payload: inf is no number that JSON has*"),
        ("slo(p95=3)", "*markers of *::test_gate: ?slo? p95: unknown key; allowed:*"),
        ("tuning(num=1)", "*?tuning? num: 1 is not allowed: must be greater than or equal to 5"),
        ("load(duration_s=5.0)", "*?load?: ramp_up_s (10) must be less than duration_s (5)"),
        ("load(30)", "*load(...) takes keys by name, such as load(key=1)"),
    ],
)
@pytest.mark.parametrize("arguments", [pytest.param([], marks=SLOW), ["--env", "mine"]])
def test_a_wrong_marker_is_one_clear_error_of_collection(
    project: pytest.Pytester, marker: str, message: str, arguments: list[str]
) -> None:
    """Long before anything is deployed, with and without an environment."""
    project.makepyfile(
        f"import pytest\n@pytest.mark.{marker}\n"
        "def test_gate(load_result, slo): raise SystemError\n"
    )
    result = project.runpytest_inprocess(*arguments)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert not (project.path / "runs").exists()


def test_markers_of_the_same_name_in_other_tests_are_left_alone(project: pytest.Pytester) -> None:
    """Only tests that use the fixtures are this plugin's business."""
    project.makepyfile("import pytest\n@pytest.mark.load('heavy')\ndef test(): pass\n")
    project.runpytest_inprocess("--env", "mine").assert_outcomes(passed=1)


def test_a_baseline_that_no_test_compares_with_is_no_pass(project: pytest.Pytester) -> None:
    """A gate that was asked for and not held would always be open."""
    project.makepyfile("def test(): pass")
    commit_all(project.path)
    result = project.runpytest_inprocess("--env", "mine", "--baseline", "main")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*--baseline main: no test compared with it*"])


@pytest.mark.slow
def test_a_wrong_marker_is_an_error_of_collection_with_workers_too(
    project: pytest.Pytester,
) -> None:
    """They collect, and the process that started them tells it."""
    project.makepyfile(
        "import pytest\n@pytest.mark.slo(p95=3)\ndef test_gate(load_result, slo): pass\n"
    )
    result = project.runpytest_inprocess("--env", "mine", "-n", "1")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*?slo? p95: unknown key; allowed:*"])


@pytest.mark.parametrize("workers", [[], pytest.param(["-n", "1"], marks=pytest.mark.slow)])
def test_the_baseline_is_what_the_option_names(
    project: pytest.Pytester, workers: list[str]
) -> None:
    """And without the option, whatever compares with it is skipped."""
    project.makepyfile("def test(dyno_baseline): assert dyno_baseline == 'main'")
    commit_all(project.path)
    baseline = ["--env", "mine", "--baseline", "main"]
    result = project.runpytest_inprocess(*baseline, *workers)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    project.runpytest_inprocess("--env", "mine").assert_outcomes(skipped=1)


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "xdist"])
def test_a_gate_that_decided_nothing_has_not_passed(
    project: pytest.Pytester, workers: list[str]
) -> None:
    """Neither in the closing line nor in JUnit, however lenient the settings are."""
    project.makepyfile(
        """
        from lambda_dyno.plugin import fixtures

        def test_open(request):
            fixtures.leave_open(request.node, ["p95 cannot be judged: saturated"])

        def test_open_and_wrong(request):
            fixtures.leave_open(request.node, ["p95 cannot be judged: saturated"])
            assert 1 == 2

        def test_decided(): pass
        """
    )
    result = project.runpytest_inprocess("--env", "mine", "-v", "--junitxml=j.xml", *workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*UNDECIDED*"])
    result.stdout.fnmatch_lines(["*= 1 failed, 1 passed, 1 undecided in *"])
    result.stdout.fnmatch_lines(["*not decided: p95 cannot be judged: saturated*"])
    suite = ET.parse(project.path / "j.xml").find("testsuite")
    assert suite is not None
    counts = [suite.attrib[name] for name in ("tests", "failures", "skipped")]
    assert counts == ["3", "1", "1"]
    skipped = suite.find("testcase[@name='test_open']/skipped")
    assert skipped is not None
    assert skipped.attrib["message"] == "not decided: p95 cannot be judged: saturated"
