"""The options of `dyno tune`, a panel of the help each for what they are about."""

from __future__ import annotations

from typing import Annotated, Any

import typer

_FUNCTION = "Any function"
_INPUT = "What is measured"
_MANNER = "How it is measured"  # apart: two columns of long names do not fit beside other long ones
_EFFECT = "What happens to the function"
_OUTPUT = "Output"


def _option(
    panel: str,
    *names: str,
    help: str,  # noqa: A002 - typer's name for it
    metavar: str | None = None,
) -> Any:
    # short words for values: in 80 columns the longest names need the room
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel)


Function = Annotated[
    str | None,
    _option(_FUNCTION, "--function", metavar="NAME", help="Name or ARN of the function to tune."),
]
Tuner = Annotated[
    str | None,
    _option(
        _FUNCTION,
        "--tuner",
        metavar="ARN",
        help="ARN of a power tuner's state machine that is there; nothing is deployed.",
    ),
]
Deployed = Annotated[
    bool,
    _option(
        _FUNCTION,
        "--deployed",
        help="The function that `dyno deploy` left in --env, with the power tuner beside it.",
    ),
]
InputFile = Annotated[
    str | None,
    _option(
        _FUNCTION,
        "--input",
        metavar="FILE",
        help="File with the state machine's whole input as JSON, such as "
        "aws-lambda-power-tuning takes; - reads standard input. lambdaARN in it names the "
        "function; flags override its keys.",
    ),
]
Env = Annotated[
    str | None,
    _option(
        _FUNCTION,
        "--env",
        metavar="ENV",
        help="Environment whose dyno.toml gives the settings; its account is not looked at.",
    ),
]
Region = Annotated[
    str | None,
    _option(
        _FUNCTION,
        "--region",
        metavar="REGION",
        help="AWS region; else what the ARN or AWS_REGION names.",
    ),
]
Keep = Annotated[
    bool,
    _option(
        _FUNCTION, "--keep", help="Leave the power tuner standing, and say how to use it again."
    ),
]
TimeoutMinutes = Annotated[
    float | None,
    _option(
        _FUNCTION,
        "--timeout-minutes",
        metavar="MIN",
        help="Longest time to measure, 60 if not given; what is unfinished then is left out.",
    ),
]
Power = Annotated[
    str | None,
    _option(
        _INPUT,
        "--power",
        metavar="MB",
        help="Power values in MB, such as 128,512,1024; ALL is 128 to 3008 in steps of 64.",
    ),
]
Num = Annotated[
    int | None,
    _option(_INPUT, "--num", metavar="N", help="Invocations per power value, at least 5."),
]
Strategy = Annotated[
    str | None,
    _option(_INPUT, "--strategy", metavar="WORD", help="What is best: cost, speed or balanced."),
]
BalancedWeight = Annotated[
    float | None,
    _option(
        _INPUT,
        "--balanced-weight",
        metavar="W",
        help="Of strategy balanced: 0 is speed alone, 1 is cost alone.",
    ),
]
Payload = Annotated[
    str | None,
    _option(
        _INPUT,
        "--payload",
        metavar="FILE",
        help="File with the event as JSON, or a list of payloads with weights; - reads "
        "standard input.",
    ),
]
PayloadS3 = Annotated[
    str | None,
    _option(_INPUT, "--payload-s3", metavar="URI", help="The same in S3: s3://bucket/key."),
]
PreProcessor = Annotated[
    str | None,
    _option(
        _INPUT,
        "--pre-processor",
        metavar="ARN",
        help="ARN of a function that is invoked before each invocation with its payload; "
        "what it returns is sent instead.",
    ),
]
PostProcessor = Annotated[
    str | None,
    _option(
        _INPUT,
        "--post-processor",
        metavar="ARN",
        help="ARN of a function that is invoked after each invocation with its output.",
    ),
]
Parallel = Annotated[
    bool | None,
    _option(_MANNER, "--parallel/--no-parallel", help="All invocations of a power value at once."),
]
Sequential = Annotated[
    bool | None,
    _option(
        _MANNER,
        "--sequential/--no-sequential",
        help="One power value after the other, not side by side.",
    ),
]
SleepBetweenRunsMs = Annotated[
    int | None,
    _option(
        _INPUT,
        "--sleep-between-runs-ms",
        metavar="MS",
        help="Pause between the invocations of a power value, without --parallel.",
    ),
]
DiscardTopBottom = Annotated[
    float | None,
    _option(
        _INPUT,
        "--discard-top-bottom",
        metavar="SHARE",
        help="Share of the invocations, 0 to 0.4, that is left out of the mean at each end.",
    ),
]
OnlyColdStarts = Annotated[
    bool | None,
    _option(
        _MANNER,
        "--only-cold-starts/--no-only-cold-starts",
        help="Measure invocations of new execution environments only.",
    ),
]
AllowedException = Annotated[
    list[str] | None,
    _option(
        _INPUT,
        "--allowed-exception",
        metavar="TYPE",
        help="Type of an error that counts as measured; may be given several times.",
    ),
]
AllowFailures = Annotated[
    bool | None,
    _option(
        _MANNER,
        "--allow-failures/--no-allow-failures",
        help="Leave a power value out that fails, or fail with it. The first is the default.",
    ),
]
DryRun = Annotated[
    bool | None,
    _option(_MANNER, "--dry-run", help="One invocation per power value, and no recommendation."),
]
AutoOptimize = Annotated[
    bool | None,
    _option(
        _EFFECT,
        "--auto-optimize/--no-auto-optimize",
        help="Set the function to the best power value.",
    ),
]
AutoOptimizeAlias = Annotated[
    str | None,
    _option(
        _EFFECT,
        "--auto-optimize-alias",
        metavar="NAME",
        help="With --auto-optimize: publish a version, and make or move this alias to it.",
    ),
]
OnConflict = Annotated[
    str | None,
    _option(
        _EFFECT,
        "--on-conflict",
        metavar="WORD",
        help="When the function is being tuned already: fail or wait.",
    ),
]
DisablePayloadLogs = Annotated[
    bool | None,
    _option(
        _OUTPUT,
        "--disable-payload-logs",
        help="No payload in logs, errors and evidence.",
    ),
]
IncludeOutputResults = Annotated[
    bool | None,
    _option(
        _OUTPUT,
        "--include-output-results",
        help="Add stats, the averages of every power value, to the output.",
    ),
]
OutputJson = Annotated[
    bool,
    _option(
        _OUTPUT,
        "--json",
        help="Print the state machine's output as JSON on stdout, and nothing else there.",
    ),
]
