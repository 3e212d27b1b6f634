"""Find the function and the API that a run is attached to, in the place of deploying them."""

from __future__ import annotations

from collections.abc import Mapping

from lambda_dyno.attach import untouched
from lambda_dyno.attach.plan import AttachPlan
from lambda_dyno.compare import fingerprints
from lambda_dyno.run.run import Run

_NOT_SIGNED = "NONE"


def step(run: Run, plan: AttachPlan) -> None:
    """Take down what the function and the API are, and how the function is just now.

    Raises:
        StepError: The credentials may not list its versions and aliases.
    """
    function, api = plan.function, plan.api
    with run.step("attach", f"looking at {function.label}") as shown:
        snapshot = untouched.look(function.arn, run.account)
        if untouched.kept(run.folder) is None:  # of a run that goes on, it is from its beginning
            untouched.keep(run.folder, snapshot)
        run.folder.note_inputs(inputs(run, plan), run.finished)
        run.folder.update_lease(memory_mb=function.memory_mb)
        outputs = {
            "account_id": run.account.account_id,
            "architecture": function.architecture,
            "function_arn": function.whole_arn,
            "function_name": function.name,
            "memory_mb": function.memory_mb,
            "name_prefix": run.result.name_prefix,
            "region": run.account.region,
        }
        if tuner := run.env.settings.attach.tuner:
            outputs["state_machine_arn"] = tuner
        if api is not None:
            wanted = run.env.settings.attach.authorization
            outputs["api_url"] = api.url
            outputs["api_authorization"] = wanted or api.authorization or _NOT_SIGNED
        run.add(outputs=outputs, api=plan.api_kind)
        where = f": {api.url}" if api else ", without an API"
        shown.update(f"{function.label} at {snapshot.words} in {run.account.region}{where}")


def inputs(run: Run, plan: AttachPlan) -> Mapping[str, str]:
    """Return what the run's measurements depend on, as hashes or words, by what it is called."""
    function = plan.function
    return {
        **fingerprints.of(run.env, run.mode.sources, run.project, {}),
        "the function": f"{function.whole_arn} {function.memory_mb} {function.code_sha256}",
        "the address": plan.api.url if plan.api else "",
    }
