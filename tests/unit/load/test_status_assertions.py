"""postman/driver/assertions.mjs: which assertions of a collection are about an answer's status."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.waiting import HANGS_S

DRIVER = Path(__file__).parents[3] / "postman" / "driver" / "assertions.mjs"
PROGRAM = """
const { statusAssertions } = await import(process.argv[1]);
const cases = JSON.parse(process.argv[2]);
console.log(JSON.stringify(cases.map(([script, name]) => statusAssertions([script])(name))));
"""

# script, name of an assertion that held, whether that is about the status
CASES = {
    "have.status": ("pm.test('a', () => pm.response.to.have.status(404));", "a", True),
    "code": ('pm.test("a", function () { pm.expect(pm.response.code).to.eql(404); });', "a", True),
    "one of": ("pm.test('a', () => { const r = pm.response; ok([404], r.code); });", "a", True),
    "in words": ("pm.test('a', () => pm.response.to.be.notFound);", "a", True),
    "property": ("pm.test('a', () => pm.expect(r).to.have.property('code', 404));", "a", True),
    "by its name": ("eval(library); check();", "Status code is 404", True),
    "a number in its name": ("eval(library); check();", "answers 503", True),
    "old way": ("tests['a'] = responseCode.code === 404;", "a", True),
    "old way, of the body": ("tests['a'] = responseBody.has('x');", "a", False),
    "time": ("pm.test('a', () => pm.expect(pm.response.responseTime).below(200));", "a", False),
    "body": ("pm.test('a', () => pm.expect(pm.response.json().id).to.eql(1));", "a", False),
    "JSON": ("pm.test('a', () => pm.response.to.be.json);", "a", False),
    "header": ("pm.test('a', () => pm.response.to.have.header('x'));", "a", False),
    "another test": (
        "pm.test('a', () => {}); pm.test('b', () => pm.response.to.have.status(404));",
        "a",
        False,
    ),
    "around it": ("if (pm.response.code === 200) { pm.test('a', () => {}); }", "a", False),
    "after it": ("pm.test('a', () => {}); if (pm.response.code > 1) stop();", "a", False),
    "brackets in texts": (
        "pm.test('a )', () => ok(')', \"}\", /* ) */ 1)); use(pm.response.code);",
        "a )",
        False,
    ),
    "a comment": ("pm.test('a', () => { // it's fine)\n ok(); }); pm.response.code;", "a", False),
    "named at run time": ("pm.test(`is ${s}`, () => pm.response.to.have.status(s));", "is x", True),
    "named at run time, other": ("pm.test(`${n}`, () => pm.response.json());", "x", False),
    "template without values": ("pm.test(`a`, () => pm.response.to.have.status(1));", "a", True),
    "not closed": ("pm.test('a', () => pm.response.to.have.status(404)", "a", True),
    "no script": ("", "a", False),
}


@pytest.fixture(scope="module")
def found() -> dict[str, bool]:
    """What the driver says of each, by its name."""
    cases = json.dumps([[script, name] for script, name, _ in CASES.values()])
    command = ["node", "--input-type=module", "-e", PROGRAM, DRIVER.as_uri(), cases]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_S, check=True)
    return dict(zip(CASES, json.loads(answer.stdout), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_an_assertion_is_about_the_status_if_it_reads_it(found: dict[str, bool], case: str) -> None:
    """Its own function or its name says so; what stands beside it in the script does not."""
    assert found[case] is CASES[case][2]
