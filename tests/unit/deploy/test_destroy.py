"""Who may destroy what stands, and what a state tells whoever is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.results import Leftover
from lambda_dyno.deploy.destroy import Destroyed, require_no_pull_request
from lambda_dyno.environments import state_contents


@pytest.mark.parametrize(
    "environ",
    [
        {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/pull/7/merge"},
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_EVENT_NAME": "pull_request_target",
        },
        {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request"},
        {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "merge_group"},
        {"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "7"},
        {"CODEBUILD_BUILD_ID": "x", "PULL_REQUEST_ID": "7"},
    ],
)
def test_a_pull_request_destroys_nothing(environ: dict[str, str]) -> None:
    """Whatever it says: its tree would name what goes."""
    with pytest.raises(UserError, match="a job of a pull request destroys nothing"):
        require_no_pull_request(environ)


@pytest.mark.parametrize(
    "environ",
    [{}, {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_NAME": "push"}],
)
def test_people_and_main_may(environ: dict[str, str]) -> None:
    """They are asked, or say --yes."""
    require_no_pull_request(environ)


def resource(kind: str, *instances: dict[str, Any], **others: Any) -> dict[str, Any]:
    rows = [{"attributes": attributes} for attributes in instances]
    return {"mode": "managed", "type": kind, "name": "this", "instances": rows, **others}


def test_a_state_is_told_by_names_and_never_by_values() -> None:
    """Data sources are read only; what has no name is told by its id."""
    content = {
        "version": 4,
        "resources": [
            resource("aws_lambda_function", {"function_name": "f", "id": "x", "arn": "arn:f"}),
            resource("aws_iam_role", {"name": "r"}, module="module.a.module.b"),
            resource("aws_api_gateway_method", {"id": "agm-1"}),
            resource("random_password", {"result": "hunter22"}),
            resource("aws_dynamodb_table", {"name": "t", "deletion_protection_enabled": True}),
            resource("aws_region", {"name": "eu"}, mode="data"),
        ],
    }
    found = state_contents.managed(json.dumps(content), "s3://b/k")
    assert [one.name for one in found] == ["f", "r", "agm-1", "?", "t"]
    assert found[1].address == "module.a.module.b.aws_iam_role.this"
    assert [one.is_protected for one in found] == [False, False, False, False, True]
    assert "hunter22" not in str(found)
    assert state_contents.managed("", "s3://b/k") == []


@pytest.mark.parametrize(
    "content", ["{", "[]", "null", "5", '{"resources": 5}', '{"resources": [{}]}', "[" * 100_000]
)
def test_what_is_no_state_is_said(content: str) -> None:
    """In one line, with its place."""
    with pytest.raises(UserError, match=r"^s3://b/k: not a state of Terraform's"):
        state_contents.managed(content, "s3://b/k")


def test_what_is_left_is_an_error_that_says_how_to_remove_it() -> None:
    """And nothing left is none."""
    left = (Leftover("iam role", "r", "aws iam delete-role --role-name r"),)
    with pytest.raises(StepError, match="left behind: iam role r: aws iam delete-role"):
        Destroyed("prod", (), left, ()).check()
    Destroyed("prod", ("delete x",), (), ()).check()
