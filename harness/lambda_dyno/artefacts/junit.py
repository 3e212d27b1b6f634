"""A run as JUnit XML: what CI systems show as tests.

One suite each for the smoke test, the SLO checks and the steps; names never change with a limit or
a count. A missed SLO is a failure. A check that could not be decided is skipped if
`[slo] inconclusive` is "pass", and a failure if not, as in pytest's own file.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # only writes: nothing untrusted is parsed
from collections.abc import Mapping

from lambda_dyno.core.results import Check, RunResult
from lambda_dyno.gates import phrases, recommendation, summary

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
    """Return a test case for each request, with whatever of it does not hold.

    A result of before, which has no names of requests, has a case for the whole collection.
    """
    smoke = result.smoke
    if smoke is None:
        return None
    suite = ET.Element("testsuite", name="smoke")
    wrong: dict[str, list[str]] = {}
    for failure in smoke.failures:
        said = f"{failure.assertion}: {failure.message}"
        wrong.setdefault(failure.request, []).append(said)
    whole = _case(suite, "smoke", "collection")
    _set_properties(whole, {"requests": smoke.requests, "assertions": smoke.assertions})
    if not smoke.passed and not smoke.failures:
        _problem(whole, "failure", "the smoke collection asserted nothing", "smoke")
    for name in dict.fromkeys((*smoke.names, *wrong)):
        case = _case(suite, "smoke", name)
        if name in wrong:
            _problem(case, "failure", "\n".join(wrong[name]), "AssertionError")
    return suite


def _checks(result: RunResult) -> ET.Element | None:
    if result.verdict is None:
        return None
    suite = ET.Element("testsuite", name="slo")
    lenient = result.setting("slo", "inconclusive") == "pass"
    elsewhere = {line.title: line.elsewhere for line in phrases.verdict_lines(result.verdict)}
    for check in result.verdict.checks:
        there = elsewhere[phrases.check_title(check.name)]
        _check(suite, check, there, undecided="skipped" if lenient else "failure")
    return suite


def _check(suite: ET.Element, check: Check, there: str, undecided: str) -> None:
    """Add a check; its name stays the same whatever its limit is, which is a property."""
    title = phrases.check_title(check.name)
    case = _case(suite, "slo", title)
    facts = {"measured": check.measured, "limit": check.limit, "unit": check.unit}
    _set_properties(case, {name: value for name, value in facts.items() if value not in ("", None)})
    if check.outcome == "fail":
        _problem(case, "failure", check.reason, check.name)
    elif check.outcome == "inconclusive":
        _problem(case, undecided, f"not decided: {check.reason}", check.name)
    said = [] if check.outcome != "pass" else [check.reason]
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
    facts = {
        "run_id": result.run_id,
        "env": result.env,
        "git_sha": result.git_sha,
        "headline": phrases.headline(result).text,
        "summary": "\n".join(summary.of(result).lines),
        "recommendation": recommendation.recommendation(result.tuning, result.money),
    }
    if result.advice is not None:
        facts |= {"finding": result.advice.finding, "risk": result.advice.risk}
    for suite in list(root)[:1]:  # JUnit knows properties of suites and cases only
        _set_properties(suite, facts)


def _set_properties(element: ET.Element, facts: Mapping[str, object]) -> None:
    """Add properties; numbers as programs read them."""
    properties = ET.Element("properties")
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=name, value=_clean(str(value)))
    element.insert(0, properties)


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
