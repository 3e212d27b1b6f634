"""A run as JUnit XML: what CI systems show as tests.

One suite each for the smoke test, the SLO checks and the steps. A missed SLO is a failure. A
check that could not be decided is an error, or skipped if `[slo] inconclusive` is "pass".
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # only writes: nothing untrusted is parsed

from lambda_dyno.core.results import Check, RunResult
from lambda_dyno.gates import phrases, recommendation

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_xml(result: RunResult) -> str:
    """Return the run as a JUnit XML document."""
    root = ET.Element("testsuites", name=f"lambda-dyno {result.env}")
    suites = [_smoke(result), _checks(result), _steps(result)]
    for suite in suites:
        if suite is not None and len(suite):
            _count(suite)
            suite.set("timestamp", result.started_at)
            root.append(suite)
    _properties(root, result)
    _count(root)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _smoke(result: RunResult) -> ET.Element | None:
    """Return one test case for all assertions that held, and one for each that did not."""
    smoke = result.smoke
    if smoke is None:
        return None
    suite = ET.Element("testsuite", name="smoke")
    case = _case(suite, "smoke", f"{smoke.held} of {smoke.assertions} assertions hold")
    if not smoke.passed and not smoke.failures:
        _problem(case, "failure", "the smoke collection asserted nothing", "smoke")
    for failure in smoke.failures:
        case = _case(suite, f"smoke.{failure.request}", failure.assertion)
        _problem(case, "failure", failure.message, "AssertionError")
    return suite


def _checks(result: RunResult) -> ET.Element | None:
    if result.verdict is None:
        return None
    suite = ET.Element("testsuite", name="slo")
    lenient = result.setting("slo", "inconclusive") == "pass"
    elsewhere = {line.title: line.elsewhere for line in phrases.verdict_lines(result.verdict)}
    for check in result.verdict.checks:
        there = elsewhere[phrases.check_title(check.name)]
        _check(suite, check, there, undecided="skipped" if lenient else "error")
    return suite


def _check(suite: ET.Element, check: Check, there: str, undecided: str) -> None:
    title = phrases.check_title(check.name)
    limit = phrases.check_value(check, check.limit)
    case = _case(suite, "slo", f"{title} at most {limit}")
    if check.outcome == "fail":
        _problem(case, "failure", check.reason, check.name)
    elif check.outcome == "inconclusive":
        _problem(case, undecided, check.reason, check.name)
    said = [] if case.find("*") is not None else [check.reason]
    if there:
        said.append(f"{title}: {there}")
    if said:
        ET.SubElement(case, "system-out").text = _clean("\n".join(said))


def _steps(result: RunResult) -> ET.Element:
    suite = ET.Element("testsuite", name="steps")
    for step, seconds in result.timings.items():
        _case(suite, "steps", step, seconds)
    if result.error:
        _problem(_case(suite, "steps", "run"), "error", result.error, "StepError")
    if result.leftovers is not None:
        case = _case(suite, "steps", "nothing left behind")
        if result.leftovers:
            names = "\n".join(f"{x.kind} {x.name}: {x.remove}" for x in result.leftovers)
            _problem(case, "failure", names, "Leftover")
    return suite


def _properties(root: ET.Element, result: RunResult) -> None:
    properties = ET.Element("properties")
    facts = {
        "run_id": result.run_id,
        "env": result.env,
        "git_sha": result.git_sha,
        "headline": phrases.headline(result).text,
        "recommendation": recommendation.recommendation(result.tuning, result.money),
    }
    if result.advice is not None:
        facts |= {"finding": result.advice.finding, "risk": result.advice.risk}
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=name, value=_clean(value))
    for suite in list(root)[:1]:  # JUnit knows properties of suites only
        suite.insert(0, properties)


def _case(suite: ET.Element, group: str, name: str, seconds: float = 0.0) -> ET.Element:
    return ET.SubElement(
        suite,
        "testcase",
        classname=_clean(group),
        name=_clean(name),
        time=f"{seconds:.3f}",
    )


def _problem(case: ET.Element, kind: str, text: str, type_name: str) -> None:
    first = text.strip().split("\n", 1)[0]
    problem = ET.SubElement(case, kind, message=_clean(first))
    if kind != "skipped":  # which knows a message and nothing else
        problem.set("type", type_name)
        problem.text = _clean(text)


def _count(element: ET.Element) -> None:
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("errors", str(sum(case.find("error") is not None for case in cases)))
    element.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")


def _clean(text: str) -> str:
    """Return the text without the control characters that XML cannot hold."""
    return _NOT_IN_XML.sub("", text)
