"""What is said of an environment's end."""

from __future__ import annotations

from lambda_dyno.core.results import Leftover
from lambda_dyno.report import teardown
from tests.support import report_samples as samples


def test_teardown_tells_gone_from_kept_from_left() -> None:
    """What is left of the environment is said with what to do about it."""
    assert teardown.teardown(samples.run()).text == "Nothing left behind."
    kept = teardown.teardown(samples.run(leftovers=None))
    assert (kept.clean, kept.command) == (False, "make down RUN=261120-2243-k3f9")
    left = teardown.teardown(samples.run(leftovers=(Leftover("log group", "/aws/x", "aws"),)))
    assert (left.clean, left.text) == (False, "1 resource is left behind:")
    early = samples.run(leftovers=None, timings={"build": 0.3}, outputs={})
    assert teardown.teardown(early).text == "Nothing was deployed."
