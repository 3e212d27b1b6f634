"""Never a trace: every point at which a tuning can be stopped, fail or meet another one.

The fake API counts calls, so each test goes through all points of a tuning: it lets one go
wrong, lets the clean-up run as the state machine or the rule would, and looks whether the
function is as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_dyno.tuner_contract.arns import FunctionArn
from lambda_dyno.tuner_contract.marks import LOCK_ALIAS, Lock
from power_tuner.cleanup import CleanUp
from power_tuner.errors import (
    AwsCallFailed,
    CleanUpFailed,
    ExecutionEnded,
    FunctionBusy,
    FunctionChanged,
    FunctionGone,
    FunctionNotReady,
    NotTunable,
    StillWaiting,
    TunerError,
)
from power_tuner.function import Deadline, Function
from power_tuner.optimize import Optimization
from power_tuner.payloads import plan
from power_tuner.prepare import Preparation
from power_tuner.request import parse
from power_tuner.state import TuningState
from tests.support.tuner_fakes import ARN, EXECUTIONS, FakeLambda, error

EXECUTION = f"{EXECUTIONS}:first"
OTHER = f"{EXECUTIONS}:second"
POWERS = [128, 512, 1024]


class World:
    """One function, and the executions that tune it."""

    def __init__(self, memory_mb: int = 512) -> None:
        self.api = FakeLambda(memory_mb)
        self.running = {EXECUTION, OTHER}
        self.now = 0.0

    def function(self) -> Function:
        deadline = Deadline(600, lambda: self.now, self._sleep)
        return Function(self.api, FunctionArn.parse(ARN), deadline)

    def prepare(
        self,
        execution: str = EXECUTION,
        state: TuningState | None = None,
        powers: list[int] | None = None,
        **keys: Any,
    ) -> TuningState:
        request = parse({"lambdaARN": ARN, "num": 5, "powerValues": powers or POWERS, **keys}, ())
        function = self.function()
        return Preparation(
            request,
            plan(5, None),
            execution,
            function,
            function._deadline,
            self._is_running,
            self.if_over,
        ).run(state)

    def clean_up(self, execution: str = EXECUTION) -> None:
        """What the state machine does after a failure, and the rule once it is over."""
        before_call, self.api.before_call = self.api.before_call, lambda *_: None
        CleanUp(self.function(), execution).after_failure()
        self.api.before_call = before_call

    def if_over(self, execution: str) -> None:
        """What CleanUp does for an execution that another function names."""
        if execution not in self.running:
            self.clean_up(execution)

    def end(self, execution: str = EXECUTION) -> None:
        """Stop an execution, and let the rule's clean-up run."""
        self.running.discard(execution)
        self.clean_up(execution)

    def _is_running(self, execution: str) -> bool:
        return execution in self.running

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


def at(number: int, act: Callable[[], None]) -> Callable[[int, str], None]:
    """Return a hook that acts once, before the call of this number."""

    def hook(call: int, _name: str) -> None:
        if call == number:
            act()

    return hook


def calls_of(work: Callable[[World], object], **world: Any) -> int:
    """Return how many calls some work makes when nothing goes wrong."""
    counted = World(**world)
    work(counted)
    return len(counted.api.calls)


def raiser(problem: Exception) -> Callable[[], None]:
    def act() -> None:
        raise problem

    return act


PREPARE_CALLS = calls_of(World.prepare)


def test_prepare_publishes_and_restores() -> None:
    """Prepare publishes one version per power value; $LATEST has its own size at once."""
    world = World()
    before = world.api.picture()
    state = world.prepare()
    after = world.api.picture()
    assert after["latest"] == before["latest"]
    assert {p.power: p.versions for p in state.powers} == {128: ["1"], 512: ["3"], 1024: ["2"]}
    assert [v["MemorySize"] for v in world.api.versions.values()] == [128, 1024, 512]
    assert after["aliases"] == {LOCK_ALIAS: "$LATEST"}
    # two of the three sizes are new, and going back is the third's own update
    assert world.api.calls.count("UpdateFunctionConfiguration") == 3
    assert world.api.calls.count("PublishVersion") == 3


@pytest.mark.parametrize(
    "config",
    [
        {"PackageType": "Image", "ImageConfigResponse": {"ImageConfig": {"Command": ["a.b"]}}},
        {"PackageType": "Zip", "Runtime": "java21", "SnapStart": {"ApplyOn": "PublishedVersions"}},
    ],
    ids=["image", "snapstart"],
)
def test_versions_that_take_a_while(config: dict[str, Any]) -> None:
    """Versions of images and with SnapStart are waited for, after all of them are published."""
    world = World()
    world.api.latest |= config
    world.api.versions_pend = True
    before = world.api.picture()
    state = world.prepare()
    assert {version["State"] for version in world.api.versions.values()} == {"Active"}
    published = len(world.api.calls) - world.api.calls[::-1].index("PublishVersion")
    waits = world.api.calls[published:].count("GetFunctionConfiguration")
    assert waits >= 2 * len(state.powers)  # each was Pending once
    assert world.now > 0
    CleanUp(world.function(), EXECUTION).after_success(optimized=False)
    assert world.api.picture() == before


ABOVE = error(
    "ValidationException",
    "UpdateFunctionConfiguration",
    "1 validation error detected: Value '10240' at 'memorySize' failed to satisfy constraint: "
    "Member must have value less than or equal to 3008",
)
BELOW = error(
    "InvalidParameterValueException",
    "UpdateFunctionConfiguration",
    "The memory size must be at least 2048 MB for functions with a capacity provider",
)
NO_SNAPSHOT = {
    "State": "Failed",
    "StateReasonCode": "FunctionError.InitResourceExhausted",
    "StateReason": "out of memory while its snapshot was made",
}
NO_UPDATE = {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "too small for its init"}

# Each refuses the first size of these, and no other.
SIZE_REFUSALS: dict[str, tuple[list[int], dict[str, Any], str]] = {
    "limit": ([10240, 128, 512], {"refused": {10240: ABOVE}}, "AWS allows 3008 MB at most"),
    "minimum": ([128, 512, 2048], {"refused": {128: BELOW}}, "must be at least 2048 MB"),
    "snapshot": ([128, 512, 1024], {"broken": {128: NO_SNAPSHOT}}, "its snapshot was made"),
    "update": ([128, 512, 1024], {"failing": {128: NO_UPDATE}}, "too small for its init"),
    "largest-update": ([1024, 128, 512], {"failing": {1024: NO_UPDATE}}, "too small for its init"),
    "own-snapshot": ([512, 128, 1024], {"broken": {512: NO_SNAPSHOT}}, "its snapshot was made"),
}


@pytest.mark.parametrize(
    ("powers", "faults", "why"), SIZE_REFUSALS.values(), ids=SIZE_REFUSALS.keys()
)
def test_one_size_that_cannot_be_had_is_left_out(
    powers: list[int], faults: dict[str, Any], why: str
) -> None:
    """Whatever refuses it before the first invocation; the others are prepared and cleaned up."""
    world = World()
    before = world.api.picture()
    vars(world.api).update(faults)
    state = world.prepare(powers=powers)
    excluded = {power.power: power.excluded for power in state.powers}
    assert f"power value {powers[0]} MB: " in excluded[powers[0]]
    assert why in excluded[powers[0]]
    assert [excluded[power] for power in powers[1:]] == ["", ""]
    ready = [power for power in state.powers if not power.excluded]
    assert {world.api.versions[p.versions[-1]]["MemorySize"] for p in ready} == {*powers[1:]}
    assert world.api.picture()["latest"] == before["latest"]
    CleanUp(world.function(), EXECUTION).after_success(optimized=False)
    assert world.api.picture()["versions"] == world.api.picture()["aliases"] == {}
    # the input may say that no power value is to be left out
    with pytest.raises((AwsCallFailed, FunctionNotReady), match=why):
        world.prepare(powers=powers, allowFailures=False)
    world.clean_up()
    assert world.api.picture()["versions"] == world.api.picture()["aliases"] == {}
    assert world.api.latest["MemorySize"] == 512
    # alone, it is all there is to measure
    with pytest.raises((AwsCallFailed, FunctionNotReady), match=why) as caught:
        world.prepare(powers=powers[:1])
    assert type(caught.value) in (AwsCallFailed, FunctionNotReady)
    world.clean_up()
    assert world.api.latest["MemorySize"] == 512


@pytest.mark.parametrize("name", SIZE_REFUSALS)
def test_killed_while_leaving_a_size_out(name: str) -> None:
    """At any point: a second attempt of Prepare finds the same, and a clean-up leaves nothing."""
    powers, faults, _ = SIZE_REFUSALS[name]

    def with_faults() -> World:
        world = World()
        vars(world.api).update(faults)
        return world

    counted = with_faults()
    counted.prepare(powers=powers)
    for number in range(1, len(counted.api.calls) + 1):
        for again in (False, True):
            world = with_faults()
            before = world.api.picture()
            world.api.before_call = at(number, raiser(StillWaiting("no time left")))
            with pytest.raises(StillWaiting):
                world.prepare(powers=powers)
            world.api.before_call = lambda *_: None
            if again:
                state = world.prepare(powers=powers)
                assert [p.power for p in state.powers if p.excluded] == powers[:1]
            world.end()
            assert world.api.picture() == before


@pytest.mark.parametrize(
    ("fault", "kind", "why"),
    [
        (
            {"refused": dict.fromkeys(POWERS, error("AccessDeniedException", "X"))},
            ClientError,
            "no",
        ),
        (
            {
                "refused": dict.fromkeys(
                    POWERS,
                    error("InvalidParameterValueException", "X", "The role cannot be assumed"),
                )
            },
            ClientError,
            "role cannot be assumed",
        ),
        (
            {
                "refused": dict.fromkeys(
                    POWERS,
                    error("KMSAccessDeniedException", "X", "not authorized: kms:CreateGrant"),
                )
            },
            AwsCallFailed,
            "kms_key_arns",
        ),
        (
            {"broken": {128: NO_SNAPSHOT | {"StateReasonCode": "SubnetOutOfIPAddresses"}}},
            FunctionNotReady,
            "State is Failed",
        ),
    ],
    ids=["denied", "role", "kms", "subnet"],
)
def test_what_concerns_the_function_fails_the_tuning(
    fault: dict[str, Any], kind: type[Exception], why: str
) -> None:
    """One refusal is enough, and nothing is left."""
    world = World()
    before = world.api.picture()
    vars(world.api).update(fault)
    with pytest.raises(kind, match=why):
        world.prepare()
    world.api.refused = {}
    world.clean_up()
    assert world.api.picture() == before


def test_the_largest_size_of_an_account_is_measured() -> None:
    """$LATEST has it, and so has the newest version: a new one needs another size in between."""
    world = World(3008)
    own = world.function().publish("mine", world.function().configuration())
    world.api.refused = dict.fromkeys(range(3009, 10_241), ABOVE)
    state = world.prepare(powers=[128, 3008])
    assert [power.excluded for power in state.powers] == ["", ""]
    assert state.powers[1].versions != [own.number]


@pytest.mark.parametrize(
    ("keys", "sizes"),
    [
        ({"powers": "ALL"}, [*range(128, 3009, 64)]),
        ({"measuring": "adaptive", "strategy": "speed", "powers": [512]}, [512, 2048, 3008]),
    ],
    ids=["ALL", "adaptive"],
)
def test_what_the_account_allows_is_found_before_anything_is_published(
    keys: dict[str, Any], sizes: list[int]
) -> None:
    """A range ends there, and the output says so; asking changes nothing."""
    world = World()
    before = world.api.picture()
    world.api.refused = dict.fromkeys(range(3009, 10_241), ABOVE)
    state = world.prepare(**keys)
    assert [power.power for power in state.powers] == sizes
    assert not any(power.excluded for power in state.powers)
    (words,) = (warning for warning in state.warnings if "3008 MB at most" in warning)
    assert words.endswith("so no larger size is measured")
    assert world.api.calls.index("UpdateFunctionConfiguration") < world.api.calls.index(
        "PublishVersion"
    )
    world.end()
    assert world.api.picture() == before


def test_a_range_above_what_the_account_allows_is_refused() -> None:
    """Before anything is changed but the lock, which goes."""
    world = World()
    before = world.api.picture()
    world.api.refused = dict.fromkeys(range(3009, 10_241), ABOVE)
    with pytest.raises(NotTunable, match="minPower: 4096 MB; the account allows functions 3008"):
        world.prepare(measuring="adaptive", minPower=4096)
    world.end()
    assert world.api.picture() == before


def test_function_that_cannot_run() -> None:
    """A function with a reserved concurrency of 0 is refused before anything is changed."""
    world = World()
    world.api.concurrency["ReservedConcurrentExecutions"] = 0
    with pytest.raises(NotTunable, match="reserved concurrency of 0"):
        world.prepare()
    assert world.api.calls == ["GetFunction"]


def test_success_leaves_nothing() -> None:
    """After CleanUp the function is as it was."""
    world = World()
    before = world.api.picture()
    world.prepare()
    CleanUp(world.function(), EXECUTION).after_success(optimized=False)
    assert world.api.picture() == before


@pytest.mark.parametrize("number", range(1, PREPARE_CALLS + 1))
def test_stopped_while_preparing(number: int) -> None:
    """An execution that is stopped, and cleaned up after, at any point of Prepare leaves nothing.

    Prepare's function goes on after that: Step Functions does not stop it.
    """
    world = World()
    before = world.api.picture()
    world.api.before_call = at(number, world.end)
    with pytest.raises((ExecutionEnded, FunctionChanged, FunctionGone, ClientError)):
        world.prepare()
    assert world.api.picture() == before


@pytest.mark.parametrize("number", range(1, PREPARE_CALLS + 1))
def test_killed_while_preparing(number: int) -> None:
    """Prepare's function dies at any point; the clean-up after it leaves nothing."""
    world = World()
    before = world.api.picture()
    world.api.before_call = at(number, raiser(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        world.prepare()
    world.end()
    assert world.api.picture() == before


@pytest.mark.parametrize("number", range(1, PREPARE_CALLS + 1))
def test_denied_while_preparing(number: int) -> None:
    """Any call of Prepare is refused; the clean-up leaves nothing."""
    world = World()
    before = world.api.picture()
    world.api.before_call = at(number, raiser(error("AccessDeniedException", "X")))
    with pytest.raises((ClientError, NotTunable)):
        world.prepare()
    world.clean_up()
    assert world.api.picture() == before


@pytest.mark.parametrize("number", range(1, PREPARE_CALLS + 1))
def test_prepare_goes_on_where_it_was(number: int) -> None:
    """A second attempt of Prepare uses what the first one made before it died."""
    world = World()
    before = world.api.picture()
    world.api.before_call = at(number, raiser(StillWaiting("no time left")))
    with pytest.raises(StillWaiting):
        world.prepare()
    world.api.before_call = lambda *_: None
    state = world.prepare()
    assert sorted(v["MemorySize"] for v in world.api.versions.values()) == sorted(POWERS)
    memory = {p.power: world.api.versions[p.versions[-1]]["MemorySize"] for p in state.powers}
    assert memory == {128: 128, 512: 512, 1024: 1024}
    assert world.api.picture()["latest"] == before["latest"]
    world.clean_up()
    assert world.api.picture() == before


@pytest.mark.parametrize("number", range(4, PREPARE_CALLS + 1))
def test_somebody_deploys_while_preparing(number: int) -> None:
    """A deployment in the middle is noticed, not overwritten; its code stays."""
    world = World()
    world.api.before_call = at(number, world.api.deploy)
    try:
        world.prepare()
    except FunctionChanged:
        world.clean_up()
        assert world.api.latest["MemorySize"] == 512
        assert not world.api.versions
    assert world.api.latest["CodeSha256"] == "code+"


def clean_up_calls() -> int:
    world = World()
    world.prepare()
    started = len(world.api.calls)
    CleanUp(world.function(), EXECUTION).after_failure()
    return len(world.api.calls) - started


@pytest.mark.parametrize("number", range(1, clean_up_calls() + 1))
@pytest.mark.parametrize("problem", ["killed", "denied", "twice"])
def test_clean_up_goes_wrong(number: int, problem: str) -> None:
    """A clean-up that dies, is refused, or runs twice at once: the next one does what is left."""
    world = World()
    before = world.api.picture()
    world.prepare()
    act = {
        "killed": raiser(KeyboardInterrupt()),
        "denied": raiser(error("AccessDeniedException", "X")),
        "twice": world.end,
    }[problem]
    world.api.before_call = at(len(world.api.calls) + number, act)
    try:
        CleanUp(world.function(), EXECUTION).after_failure()
    except (KeyboardInterrupt, CleanUpFailed, FunctionChanged):
        assert problem == "twice" or world.api.picture() != before
    world.api.before_call = lambda *_: None
    world.end()
    assert world.api.picture() == before


@pytest.mark.parametrize(
    "faults",
    [
        {"refused": {512: error("KMSAccessDeniedException", "X", "kms:CreateGrant")}},
        {"refused": {512: ABOVE}},
        {"failing": {512: NO_UPDATE}},
    ],
    ids=["kms", "limit", "update"],
)
def test_a_size_that_does_not_come_back_is_named(faults: dict[str, Any]) -> None:
    """Whatever refuses the function's own size, the clean-up has failed, and is tried again."""
    world = World()
    before = world.api.picture()
    world.api.before_call = at(PREPARE_CALLS - 10, raiser(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        world.prepare()
    assert world.api.latest["MemorySize"] != 512
    world.api.before_call = lambda *_: None
    vars(world.api).update(faults)
    with pytest.raises(CleanUpFailed, match="another memory size may be left"):
        world.clean_up()
    world.api.refused, world.api.failing = {}, {}
    world.end()
    assert world.api.picture() == before


def test_clean_up_of_nothing() -> None:
    """A clean-up that finds nothing changes nothing, and a deleted function is fine."""
    world = World()
    before = world.api.picture()
    world.clean_up()
    assert world.api.picture() == before
    world.prepare()
    world.api.exists = False
    world.clean_up()


def test_versions_of_the_user_stay() -> None:
    """Versions and aliases that are not the tuner's are never touched, however alike they are."""
    world = World()
    function = world.function()
    config = function.configuration()
    own = function.publish("mine", config)  # what $LATEST is: Lambda will not publish it again
    function.create_alias("live", own.number)
    before = world.api.picture()
    state = world.prepare(powers=[512])
    (measured,) = state.powers[0].versions
    # it may be warm, or have the provisioned concurrency of real traffic
    assert measured != own.number
    assert world.api.versions[measured]["MemorySize"] == 512
    CleanUp(world.function(), EXECUTION).after_success(optimized=False)
    assert world.api.picture() == before


# --- two executions -----------------------------------------------------------------------


def test_second_execution_is_refused() -> None:
    """A second execution is refused at once, with the first one's ARN, and changes nothing."""
    world = World()
    world.prepare()
    during, now = world.api.picture(), world.now
    with pytest.raises(FunctionBusy, match=EXECUTION):
        world.prepare(OTHER)
    assert world.now == now
    world.clean_up(OTHER)
    assert world.api.picture() == during


def test_second_execution_waits() -> None:
    """With onConflict wait the second one begins when the first has ended."""
    world = World()
    before = world.api.picture()
    world.prepare()
    waited = len(world.api.calls) + 8
    world.api.before_call = at(waited, world.end)
    world.prepare(OTHER, onConflict="wait")
    assert world.now > 0
    world.end(OTHER)
    assert world.api.picture() == before


def test_waiting_ends_with_the_functions_time() -> None:
    """A wait that is longer than Prepare's function lives is taken up by a retry."""
    world = World()
    world.prepare()
    with pytest.raises(StillWaiting):
        world.prepare(OTHER, onConflict="wait")
    assert 590 < world.now <= 600


def test_lock_of_an_execution_that_is_over() -> None:
    """A lock that a dead execution left is cleaned up by the next one, its size restored."""
    world = World()
    before = world.api.picture()
    world.api.before_call = at(9, raiser(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        world.prepare()
    world.api.before_call = lambda *_: None
    assert world.api.picture()["latest"] != before["latest"]
    world.running.discard(EXECUTION)
    state = world.prepare(OTHER)
    assert state.original_power == 512
    world.end(OTHER)
    assert world.api.picture() == before


def test_somebodys_own_alias_of_the_locks_name() -> None:
    """An alias that only has the lock's name is respected, not deleted."""
    world = World()
    world.function().create_alias(LOCK_ALIAS, "$LATEST", "my own")
    world.running.add("unknown")
    before = world.api.picture()
    with pytest.raises(FunctionBusy):
        world.prepare()
    world.clean_up()
    assert world.api.picture() == before


# --- more versions, and optimising --------------------------------------------------------


def test_fresh_versions_of_a_single_power_value() -> None:
    """More cold starts of one power value need versions that Lambda would not publish by itself."""
    world = World()
    before = world.api.picture()
    state = world.prepare(powers=[512], onlyColdStarts=True)
    for _ in range(2):
        state = world.prepare(state=state, powers=[512], onlyColdStarts=True)
    versions = state.powers[0].versions
    assert len(set(versions)) == 3
    assert {world.api.versions[number]["MemorySize"] for number in versions} == {512}
    assert world.api.picture()["latest"] == before["latest"]
    world.end()
    assert world.api.picture() == before


def optimise(world: World, power: int, alias: str) -> None:
    Optimization(world.function(), EXECUTION, world.if_over).apply(power, alias)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("alias", ["", "live", "best"])
def test_optimised(power: int, alias: str) -> None:
    """autoOptimize leaves the best size on $LATEST, and an alias at a version that has it."""
    world = World()
    world.function().create_alias("live", "$LATEST")
    world.prepare()
    optimise(world, power, alias)
    CleanUp(world.function(), EXECUTION).after_success(optimized=True)
    after = world.api.picture()
    assert after["latest"]["MemorySize"] == power
    assert LOCK_ALIAS not in after["aliases"]
    assert len(after["versions"]) == (1 if alias else 0)
    if alias:
        version = after["aliases"][alias]
        assert world.api.versions[version]["MemorySize"] == power


def optimise_calls(power: int, alias: str) -> int:
    world = World()
    world.function().create_alias("live", "$LATEST")
    world.prepare()
    started = len(world.api.calls)
    optimise(world, power, alias)
    return len(world.api.calls) - started


OPTIMISE_POINTS = [
    (power, alias, number)
    for power in (512, 1024)
    for alias in ("live", "best")
    for number in range(1, optimise_calls(power, alias) + 1)
]


@pytest.mark.parametrize(("power", "alias", "number"), OPTIMISE_POINTS)
@pytest.mark.parametrize("problem", ["killed", "stopped"])
def test_optimising_goes_wrong(power: int, alias: str, number: int, problem: str) -> None:
    """A tuning that dies or is stopped at any point of Optimize leaves the function as it was."""
    world = World()
    world.function().create_alias("live", "$LATEST")
    before = world.api.picture()
    world.prepare()
    act = raiser(KeyboardInterrupt()) if problem == "killed" else world.end
    world.api.before_call = at(len(world.api.calls) + number, act)
    with pytest.raises((KeyboardInterrupt, TunerError, ClientError)):
        optimise(world, power, alias)
    world.api.before_call = lambda *_: None
    world.end()
    assert world.api.picture() == before


def test_lock_text_is_what_the_alias_says() -> None:
    """The lock's alias says whose it is, and the size to go back to while that is needed."""
    world, seen = World(), []
    world.api.before_call = lambda *_: seen.append(
        world.api.aliases.get(LOCK_ALIAS, {}).get("Description", "")
    )
    world.prepare()
    assert Lock(EXECUTION, 512).text in seen
    assert Lock.parse(world.api.aliases[LOCK_ALIAS]["Description"]) == Lock(EXECUTION)


@pytest.mark.parametrize("failed", [True, False])
def test_somebody_changes_the_memory_while_measuring(failed: bool) -> None:
    """A size that somebody gives the function while it is measured stays, whatever the end."""
    world = World()
    world.prepare()
    function = world.function()
    function.set_memory(2048, function.configuration())
    before = world.api.picture()
    if failed:
        world.end()
    else:
        CleanUp(world.function(), EXECUTION).after_success(optimized=False)
    assert world.api.picture()["latest"] == before["latest"]
    assert not world.api.versions


def test_more_versions_of_a_function_that_was_changed_meanwhile() -> None:
    """Publishing once more goes back to the size that the function has by then."""
    world = World()
    state = world.prepare(onlyColdStarts=True)
    function = world.function()
    function.set_memory(2048, function.configuration())
    world.prepare(state=state, onlyColdStarts=True)
    assert world.api.latest["MemorySize"] == 2048
    world.end()
    assert world.api.latest["MemorySize"] == 2048
    assert not world.api.versions


@pytest.mark.parametrize(
    ("change", "used"),
    [({}, True), ({"payload": "1" * 64}, False), ({"codeSha256": "B" * 44}, False)],
)
def test_a_former_tuning_is_used_if_it_is_of_the_same_code(change: Any, used: bool) -> None:
    """And is sent the same; else a warning says why not."""
    world = World()
    world.api.latest["CodeSha256"] = "A" * 44
    keys = {"measuring": "adaptive", "strategy": "cost"}
    known = world.prepare(**keys)
    world.end()
    world.running.add(OTHER)
    sizes = [{"power": 128, "durationMs": 100, "passes": 9, "variance": 0.0001}]
    former = {
        "codeSha256": known.code_sha256,
        "architecture": known.architecture,
        "payload": known.payload,
        "sizes": sizes,
    }
    state = world.prepare(OTHER, prior={**former, **change}, **keys)
    assert state.uses_prior is used
    assert any("prior: not used" in warning for warning in state.warnings) is not used
