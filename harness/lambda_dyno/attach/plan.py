"""What an attached run is going to do, made before anything of it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lambda_dyno.attach import asked, ownership, spending
from lambda_dyno.attach.ownership import Found
from lambda_dyno.attach.spending import Spending
from lambda_dyno.aws import apis
from lambda_dyno.aws.accounts import Account
from lambda_dyno.aws.lambda_function import Function
from lambda_dyno.core.config import (
    SETTINGS_FILE,
    AttachSettings,
    Env,
    Settings,
    TuningSettings,
)
from lambda_dyno.core.errors import UserError
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Allowed
from lambda_dyno.money import rates
from lambda_dyno.tune import tuner_input

_MOST_NAMED = 5
_LEAST_USD = 0.01  # where somebody has said yes to more than the limit
PACING_MS = 1000  # of a closed loop whose settings name none: others use that API


@dataclass(frozen=True, slots=True)
class AttachPlan:
    """An attached run: to what, and how far it may go.

    Attributes:
        function: The function, as it is deployed.
        api: The API in front of it; None: there is none to ask.
        api_kind: "REST" or "HTTP", as API Gateway bills it; empty: neither.
        allowed: What the load driver may send; None: there is nothing to ask.
        spending: What is sent and spent at most.
        settings: With all that an attached run has otherwise than others.
    """

    function: Function
    api: Found | None
    api_kind: str
    allowed: Allowed | None
    spending: Spending
    settings: Settings

    @property
    def warning(self) -> str:
        """That the API calls something else than what is tuned; empty: nobody knows of it."""
        calls = self.api.calls if self.api is not None else ()
        if not calls or self.function.label in calls:
            return ""
        named = ", ".join(calls[:_MOST_NAMED])
        same = [one for one in calls if one.partition(":")[0] == self.function.name]
        if same:
            return (
                f"the API calls {named}, whose code and memory size need not be those of "
                f"{self.function.label}: --function {same[0]}"
            )
        return f"the API calls {named}, and not {self.function.label}, which is tuned"

    def within(self, tuning: TuningSettings) -> TuningSettings:
        """Return what a tuning may be: of a copy, and for no more than is left."""
        return _within(_of_copy(tuning, self.settings.attach), self.settings.attach, self.spending)

    @property
    def lines(self) -> tuple[str, ...]:
        """What is to be known before the first request."""
        where = f"{self.api.words}: {self.api.url}" if self.api else "no API"
        return (
            f"attached to function {self.function.label} and {where}",
            *self.spending.lines(self.settings.attach),
        )


def require_possible(settings: Settings, where: str) -> None:
    """Refuse what an attached run has no place for.

    Args:
        settings: With `[attach]`.
        where: What names them, for messages.

    Raises:
        UserError: Something of it is wanted.
    """
    if not settings.attach.function:
        raise UserError(
            f"{where}: [attach] url names an API, and nothing the function behind it: --function "
            "NAME, or function in [attach]"
        )
    if settings.regression.baseline:
        raise UserError(
            "--baseline: a comparison deploys both versions side by side, and an attached function "
            "is somebody else's to deploy. The comment compares with the default branch's last "
            "run: dyno comment --baseline FOLDER"
        )
    if settings.load.at:
        raise UserError(
            "--at: an API calls its function as that is deployed, so it is loaded at that memory "
            "size alone: leave --at, [load] at and its preset out; --power says what is tuned"
        )


def effective(settings: Settings, function: Function) -> Settings:
    """Return settings as they are for a function, and an API, that others use.

    A copy of the function is measured unless that is not wanted, and a closed loop has a pace.
    """
    attach = settings.attach.model_copy(update={"function": function.whole_arn})
    tuning, load = _of_copy(settings.tuning, attach), settings.load
    if load.loop == "closed" and not load.pacing_ms:
        load = load.model_copy(update={"pacing_ms": PACING_MS})
    return settings.model_copy(update={"attach": attach, "tuning": tuning, "load": load})


def make(
    env: Env,
    function: Function,
    account: Account,
    files: Mapping[str, CollectionFiles],
    *,
    where: str,
) -> AttachPlan:
    """Return what an attached run may do, once everything about it is allowed.

    Args:
        env: Its settings are `effective` ones.
        function: As it is deployed.
        account: Where it is.
        files: What is asked, by "smoke" and "load"; what is missing is not done.
        where: What names the URL, for messages.

    Raises:
        UserError: The address is not the account's, or not public, or something would be sent
            that may write or goes elsewhere.
    """
    settings = env.settings
    limits = settings.attach
    api = ownership.find(limits, function, account, where=where) if limits.url else None
    kind, allowed = "", None
    sent: dict[str, tuple[asked.Asked, ...]] = {}
    if api is not None:
        form = apis.form_of(api.root, account)
        kind = apis.BILLED_AS.get(form.kind, "") if form.api_id else ""
        places = tuple(dict.fromkeys(filter(None, (api.place, *limits.hosts))))
        for step, one in files.items():
            sent[step] = asked.requests_of(one)
            named = f"{one.collection.name}"
            asked.require_safe(sent[step], settings.tuning.safe, named)
            asked.require_places(sent[step], places, api.own, named)
        allowed = Allowed(places, api.own, tuple(settings.tuning.safe), limits.max_requests)
    prices = rates.of(function.region, function.architecture, api=kind or _dearest(api))
    spent = spending.of(
        settings,
        function,
        prices,
        smoke=sent.get("smoke", ()),
        smoke_rows=asked.rows_of(files["smoke"]) if sent.get("smoke") else 1,
        load=sent.get("load", ()),
        tuning_input=tuner_input.from_settings(settings.tuning, function.whole_arn, {}),
    )
    tuning = _within(settings.tuning, limits, spent)
    kept = settings.model_copy(update={"tuning": tuning})
    return AttachPlan(function, api, kind, allowed, spent, kept)


def of_file(env: Env) -> str:
    """Return what names an environment's `[attach] url` in messages."""
    return f"envs/{env.name}/{SETTINGS_FILE}: [attach] url"


def _dearest(api: Found | None) -> str:
    """Return the kind of API that a bound assumes where nobody knows it."""
    return "REST" if api is not None and not api.own and "URL" not in api.words else ""


def _of_copy(tuning: TuningSettings, limits: AttachSettings) -> TuningSettings:
    return tuning if limits.in_place else tuning.model_copy(update={"isolation": "clone"})


def _within(tuning: TuningSettings, limits: AttachSettings, spent: Spending) -> TuningSettings:
    """Return settings whose adaptive measuring stays within what may be spent."""
    if tuning.measuring != "adaptive":
        return tuning
    left = max(_LEAST_USD, spent.left_for_tuning_usd(limits))
    return tuning.model_copy(update={"max_cost_usd": min(tuning.max_cost_usd or left, left)})
