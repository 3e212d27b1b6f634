"""[load]: presets, stages, open and closed loop, and what does not fit together."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_dyno.core.config import LoadSettings, Settings, parse_settings, with_overrides
from lambda_dyno.core.errors import UserError
from lambda_dyno.load.schedule import ClosedSchedule, OpenSchedule, describe, schedule_of


def load(**keys: Any) -> LoadSettings:
    """Settings as a file gives them."""
    return parse_settings({"load": keys}, "dyno.toml").load


UP_AND_DOWN = [{"level": 4, "duration_s": 2.0}, {"level": 0, "duration_s": 3.0}]


def test_the_forerunners_preset_is_ten_users_for_two_minutes() -> None:
    """What the preset says is what the schedule does; a key beside it comes first."""
    schedule = schedule_of(load(preset="forerunners"))
    assert isinstance(schedule, ClosedSchedule)
    assert (schedule.users, schedule.duration_s) == (10, 120.0)
    assert load(preset="forerunners", virtual_users=3).virtual_users == 3


def test_a_preset_replaces_the_whole_load_of_a_file() -> None:
    """A pace or stages of the file would make another test of it."""
    file = parse_settings({"load": {"stages": UP_AND_DOWN, "pacing_ms": 500}}, "dyno.toml")
    assert with_overrides(file, {"load.preset": "forerunners"}).load == load(preset="forerunners")


def test_stages_say_how_many_users_and_how_long() -> None:
    """Peak and sum, in the settings as in the schedule."""
    settings = load(stages=UP_AND_DOWN)
    assert (settings.virtual_users, settings.duration_s) == (4, 5.0)
    schedule = schedule_of(settings)
    assert (schedule.users, schedule.duration_s) == (4, 5.0)


def test_stages_of_a_marker_replace_the_duration_of_the_file() -> None:
    """And the settings that come out can be read again as they are."""
    changed = with_overrides(Settings(), {"load.stages": UP_AND_DOWN})
    assert changed.load == load(stages=UP_AND_DOWN)
    assert Settings.model_validate(changed.model_dump()) == changed


def test_an_open_loop_has_arrivals_and_a_cap_on_what_is_under_way() -> None:
    """Five seconds at 2 per second, after a ramp of 2 s: 2 + 6 iterations."""
    schedule = schedule_of(
        load(loop="open", arrivals_per_s=2.0, ramp_up_s=2.0, duration_s=5.0, virtual_users=7)
    )
    assert isinstance(schedule, OpenSchedule)
    assert (len(schedule.arrivals_s), schedule.users, schedule.duration_s) == (8, 7, 5.0)


def test_random_arrivals_are_the_same_every_time() -> None:
    """Two versions that are compared get the same load."""
    random = {"loop": "open", "arrivals_per_s": 5.0, "duration_s": 20.0, "spacing": "poisson"}
    assert schedule_of(load(**random)) == schedule_of(load(**random))
    assert schedule_of(load(**random)) != schedule_of(load(**{**random, "spacing": "even"}))


def test_back_to_a_closed_loop_forgets_the_arrivals() -> None:
    """A marker that says closed need not say that there are none."""
    file = parse_settings({"load": {"loop": "open", "arrivals_per_s": 2.0}}, "dyno.toml")
    assert with_overrides(file, {"load.loop": "closed"}).load.arrivals_per_s is None


def test_a_preset_is_of_the_same_collection() -> None:
    """A flag that replaces the profile does not replace what is asked."""
    file = parse_settings({"load": {"data": "rows.csv", "pacing_ms": 7}}, "dyno.toml")
    found = with_overrides(file, {"load.preset": "forerunners"}).load
    assert (found.data, found.pacing_ms) == ("rows.csv", 0)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"loop": "open"}, "needs arrivals_per_s or stages, and not both"),
        (
            {"loop": "open", "arrivals_per_s": 1.0, "stages": UP_AND_DOWN},
            "needs arrivals_per_s or stages, and not both",
        ),
        ({"arrivals_per_s": 1.0}, 'arrivals_per_s needs loop = "open"'),
        ({"stages": UP_AND_DOWN, "duration_s": 9.0}, "stages last 5 s, and duration_s is 9"),
        ({"stages": UP_AND_DOWN, "virtual_users": 9}, "up to 4 users, and virtual_users is 9"),
        ({"stages": [{"level": 0, "duration_s": 1.0}]}, "have a level above 0"),
        ({"warm_up_s": 120.0}, "warm_up_s (120) must be less than the test's 120 s"),
        ({"preset": "backrunners"}, "[load] preset"),
        ({"stages": [{"level": 1, "seconds": 5}]}, "stages.0.seconds: unknown key"),
    ],
)
def test_what_does_not_fit_together_is_refused(keys: dict[str, Any], message: str) -> None:
    """With the file, the section, and what is allowed."""
    with pytest.raises(UserError) as refused:
        load(**keys)
    assert str(refused.value).startswith("dyno.toml: [load]")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"virtual_users": 1, "ramp_up_s": 0.0, "duration_s": 15.0},
            "closed loop, 1 user, ramp-up 0 s, 15 s",
        ),
        (
            {"pacing_ms": 2500, "duration_s": 30.0},
            "closed loop, 10 users, ramp-up 10 s, 30 s, an iteration per user every 2.5 s",
        ),
        (
            {"loop": "open", "arrivals_per_s": 3.0},
            "open loop, 3 iterations per second, ramp-up 10 s, 120 s, at most 10 users at once",
        ),
        ({"stages": UP_AND_DOWN}, "closed loop, stages to 4 in 2 s, to 0 in 3 s"),
        (
            {"preset": "forerunners"},
            "closed loop (preset forerunners), 10 users, ramp-up 10 s, 120 s",
        ),
    ],
)
def test_a_load_in_words(settings: dict[str, Any], words: str) -> None:
    """The header, the report and the run say the same."""
    assert describe(load(**settings)) == words
