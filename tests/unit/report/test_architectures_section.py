"""The architectures side by side, and the recommendation that names both."""

from __future__ import annotations

from dataclasses import replace

from lambda_dyno.core.results import ArchitectureOutcome, Ratio
from lambda_dyno.gates import summary
from lambda_dyno.gates.recommendation import recommendation
from lambda_dyno.report.sections.architectures import SECTION
from tests.support import report_samples as samples

OWN = ArchitectureOutcome("x86_64", True, 512, 0.4e-6, 20.0)
OTHER = ArchitectureOutcome(
    "arm64", False, 1024, 0.3e-6, 21.0, "", Ratio(1.05, 0.97, 1.13), Ratio(0.75, 0.7, 0.8)
)
BETTER = (replace(OWN, is_recommended=False), replace(OTHER, is_recommended=True))


def rows(*outcomes: ArchitectureOutcome) -> list[tuple[list[str], tuple[str, ...]]]:
    """Texts and marks of the section's rows."""
    run = replace(samples.mended(), tuning=replace(samples.TUNING, architectures=outcomes))
    content = SECTION.content(run)
    assert content is not None
    assert content.table is not None
    return [([cell.text for cell in row.cells], row.marks) for row in content.table.rows]


def test_who_asked_for_one_architecture_is_shown_no_others() -> None:
    assert SECTION.content(samples.mended()) is None


def test_each_has_its_best_size_and_how_it_differs_from_the_own_one() -> None:
    own, other = rows(*BETTER)
    assert own == (["x86_64", "512", "20.0", "–", "0.400", "–"], ("current",))
    assert other == (["arm64", "1024", "21.0", "≈ +5 %", "0.300", "−25 %"], ("recommended",))


def test_what_was_left_out_is_said_with_the_reason() -> None:
    out = ArchitectureOutcome("arm64", False, left_out="its package has machine code")
    _, other = rows(OWN, out)
    assert other == (["arm64", "–", "–", "–", "–", "–"], ("left out",))
    run = replace(samples.mended(), tuning=replace(samples.TUNING, architectures=(OWN, out)))
    content = SECTION.content(run)
    assert content is not None
    assert content.facts == ("arm64 was left out: its package has machine code.",)


def test_the_recommendation_names_size_and_architecture() -> None:
    words = recommendation(replace(samples.TUNING, architectures=BETTER))
    assert words.startswith(
        "Set the architecture and its size to arm64 with 1024 MB: cost (−30 to −20 %), duration "
        "(−3 to +13 %) against x86_64 with 512 MB. x86_64: Set memory_mb from"
    )


def test_an_architecture_that_was_not_shown_to_be_better_is_kept_out() -> None:
    words = recommendation(replace(samples.TUNING, architectures=(OWN, OTHER)))
    assert words.startswith(
        "Keep x86_64: that arm64 with 1024 MB would be better was not shown. Set memory_mb"
    )


def test_so_does_the_first_line() -> None:
    run = replace(samples.mended(), tuning=replace(samples.TUNING, architectures=BETTER))
    assert "Change x86_64 with 128 MB → arm64 with 1024 MB: cost (−30 to −20 %)" in str(
        summary.of(run)
    )
