"""Runs the embedded AWS with IAM that asks what AWS asks, and writes down every answer.

`python strict_aws.py LOG` is the embedded AWS with these differences, each as AWS documents it in
the Service Authorization Reference or the service's own guide:

- Lambda's actions are the operations (GetAlias), not a guess by the path (ListAliases);
- `iam:PermissionsBoundary` is there to be tested, of the request or of the role it changes;
- `iam:PassRole` is asked, with `iam:PassedToService`, when a function or a state machine gets a
  role;
- whoever makes something with tags needs the service's permission to tag it;
- resources that MiniStack does not name in its question are named;
- whoever gives a function layers needs `lambda:GetLayerVersion` on each;
- whoever takes a function's code from S3 needs `s3:GetObject` on it;
- whoever reads an object that is not there needs `s3:ListBucket` to be told so;
- what is below a REST API has the API's tags (the API Gateway guide, "Tag inheritance");
- a request counts as sent over TLS, unless it says otherwise with the header `x-plain-http`: a
  server on this machine has no certificate.

LOG gets one JSON line for each answer: principal, action, resource and decision.
"""

from __future__ import annotations

import contextvars
import json
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from ministack.core import iam_actions, iam_evaluator

FRONT = Path(__file__).parents[2] / "harness" / "lambda_emulator" / "front.py"
_TAG_ACTIONS = {
    "dynamodb:CreateTable": "dynamodb:TagResource",
    "events:PutRule": "events:TagResource",
    "iam:CreatePolicy": "iam:TagPolicy",
    "iam:CreateRole": "iam:TagRole",
    "lambda:CreateFunction": "lambda:TagResource",
    "logs:CreateLogGroup": "logs:TagResource",
    "states:CreateStateMachine": "states:TagResource",
}
_PASSED_TO = {
    "lambda:CreateFunction": ("Role", "lambda.amazonaws.com"),
    "lambda:UpdateFunctionConfiguration": ("Role", "lambda.amazonaws.com"),
    "states:CreateStateMachine": ("roleArn", "states.amazonaws.com"),
    "states:UpdateStateMachine": ("roleArn", "states.amazonaws.com"),
}
# Body fields that name the resource, where MiniStack looks for others only.
_ARN_FIELDS = ("resourceArn", "ResourceArn", "ResourceARN", "resourceARN")


@dataclass
class _Request:
    """What the router knows of the request whose permission is asked."""

    service: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    action: str | None
    params: Any = None
    more_asked: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """The request's own fields, of a JSON or of a form body."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            text = self.body.decode(errors="replace")
            found = {key: value[0] for key, value in parse_qs(text).items()}
        return found if isinstance(found, dict) else {}

    @property
    def tagged(self) -> bool:
        """Whether it gives tags to something."""
        if self.service == "s3":
            return False
        found = self.fields
        return bool(found.get("Tags") or found.get("tags") or "Tags.member.1.Key" in found)


_request: contextvars.ContextVar[_Request | None] = contextvars.ContextVar("request", default=None)

_enforce = iam_evaluator.enforce
_extract_action = iam_actions.extract_iam_action
_extract_resource = iam_actions.extract_resource_arn
_tag_context = iam_actions.request_tag_context
_pin_origin = iam_evaluator.pin_request_origin


def _lambda_action(method: str, path: str) -> str | None:
    operation = iam_actions._match_rest_action("lambda", method, unquote(path))
    return {"Invoke": "InvokeFunction"}.get(operation or "", operation)


def _action(
    service: str, method: str, path: str, headers: dict[str, str], body: bytes, params: Any
) -> str | None:
    action = _extract_action(service, method, path, headers, body, params)
    if "x-plain-http" in headers:
        _pin_origin("127.0.0.1", False)
    _request.set(_Request(service, method, path, headers, body, action, params))
    return action


def _resource(
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    params: Any,
    region: str,
    account: str,
) -> str:
    found: str = _extract_resource(service, method, path, headers, body, params, region, account)
    if service in ("dynamodb", "events", "states"):
        fields = _Request(service, method, path, headers, body, None).fields
        if service == "events" and "Rule" in fields:
            return f"arn:aws:events:{region}:{account}:rule/{fields['Rule']}"
        if found == "*":
            found = str(next((fields[name] for name in _ARN_FIELDS if name in fields), "*"))
    # the default bus is not in the ARNs of its rules
    return found.replace(":rule/default/", ":rule/")


def _context(service: str, action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
    context: dict[str, Any] = _tag_context(service, action, body, params)
    if service == "apigateway":
        # MiniStack knows the operations' names, and this is only the verb.
        tags = _Request(service, "", "", {}, body, None).fields.get("tags") or {}
        context |= {f"aws:RequestTag/{key}".lower(): value for key, value in tags.items()}
    if service == "iam":
        boundary = _boundary(action, params)
        if boundary:
            context["iam:permissionsboundary"] = boundary
    return context


def _boundary(action: str, params: dict[str, Any]) -> str:
    from ministack.services import iam

    given = iam_actions._query_param(params, "PermissionsBoundary")
    if action == "iam:CreateRole" or given:
        return given
    role = iam._roles.get(iam_actions._query_param(params, "RoleName")) or {}
    return str(role.get("PermissionsBoundary") or "")


def _inherited_tags(resource: str) -> dict[str, Any]:
    """Return the tags of the REST API that a resource of API Gateway belongs to."""
    from ministack.services import apigateway_v1

    parts = resource.split(":", 5)[-1].split("/")
    if parts[1:2] != ["restapis"] or len(parts) < 3:
        return {}
    api = apigateway_v1._rest_apis.get(parts[2]) or {}
    return {f"aws:resourcetag/{k}".lower(): v for k, v in (api.get("tags") or {}).items()}


def _more(
    request: _Request, resource: str, region: str
) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Return what AWS asks besides: service, action, resource, condition keys."""
    action, fields = request.action or "", request.fields
    asked: list[tuple[str, str, str, dict[str, Any]]] = []
    if action in _TAG_ACTIONS and request.tagged:
        asked.append((request.service, _TAG_ACTIONS[action], resource, {}))
    if action in _PASSED_TO:
        name, principal = _PASSED_TO[action]
        if fields.get(name):
            keys = {"iam:passedtoservice": principal}
            asked.append(("iam", "iam:PassRole", fields[name], keys))
    if action == "s3:PutObject" and "x-amz-tagging" in request.headers:
        asked.append(("s3", "s3:PutObjectTagging", resource, {}))
    if action in ("s3:GetObject", "s3:HeadObject"):
        bucket, _, key = resource.removeprefix("arn:aws:s3:::").partition("/")
        if key and not _is_object(bucket, unquote(key)):
            asked.append(("s3", "s3:ListBucket", f"arn:aws:s3:::{bucket}", {}))
    if request.service == "lambda":
        code = fields.get("Code", fields)
        if isinstance(code, dict) and code.get("S3Bucket"):
            arn = f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}"
            asked.append(("s3", "s3:GetObject", arn, {}))
    if action == "lambda:CreateFunction":
        layers = fields.get("Layers") or []
        asked += [("lambda", "lambda:GetLayerVersion", layer, {}) for layer in layers]
    if request.service == "apigateway":
        asked += _more_of_apis(request, region)
    return asked


def _is_object(bucket: str, key: str) -> bool:
    from ministack.services import s3

    return key in (s3._buckets.get(bucket) or {}).get("objects", {})


def _more_of_apis(request: _Request, region: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    home = f"arn:aws:apigateway:{region}::"
    if request.path.startswith("/tags/"):  # the tagged resource is changed, too
        resource = unquote(request.path.removeprefix("/tags/"))
        return [("apigateway", "apigateway:PATCH", resource, _inherited_tags(resource))]
    if request.method == "POST" and request.tagged:
        # the id is not known yet
        target = quote(f"{home}{request.path.rstrip('/')}/*", safe="*")
        return [("apigateway", "apigateway:PUT", f"{home}/tags/{target}", {})]
    return []


def _strict_enforce(
    access_key: str,
    action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: dict[str, Any] | None = None,
) -> Any:
    request = _request.get()
    context = dict(service_context or {})
    if service == "apigateway":
        context = {**_inherited_tags(resource_arn), **context}
    answer = _ask(access_key, action, service, region, resource_arn, context)
    first = request is not None and request.action == action and not request.more_asked
    if answer is None and request is not None and first:
        request.more_asked = True
        tags = {key: value for key, value in context.items() if "tag" in key.lower()}
        for other_service, other, resource, keys in _more(request, resource_arn, region):
            answer = _ask(access_key, other, other_service, region, resource, {**tags, **keys})
            if answer is not None:
                return answer
    return answer


def _ask(
    access_key: str,
    action: str,
    service: str,
    region: str,
    resource: str,
    context: dict[str, Any],
) -> Any:
    answer = _enforce(access_key, action, service, region, resource, context)
    from ministack.core.responses import get_account_id

    who = iam_evaluator.resolve_principal(access_key or "", get_account_id())
    if isinstance(who, iam_evaluator.PrincipalInfo) and who.policies is not None:
        line = {
            "principal": who.arn,
            "action": action,
            "resource": resource,
            "allowed": answer is None,
            "keys": {k: v for k, v in context.items() if isinstance(v, str | list)},
        }
        with open(_LOG, "a") as log:
            log.write(json.dumps(line) + "\n")
    return answer


def _origin(source_ip: str, secure: bool) -> None:
    _pin_origin(source_ip, True)


def _patch() -> None:
    # where botocore's models are, for actions by path and for tags in requests
    iam_actions._BOTOCORE_SERVICE_MAP |= {"lambda": ["lambda"], "states": ["stepfunctions"]}
    iam_actions._lambda_action = _lambda_action
    iam_actions.extract_iam_action = _action
    iam_actions.extract_resource_arn = _resource
    iam_actions.request_tag_context = _context
    iam_evaluator.enforce = _strict_enforce
    iam_evaluator.pin_request_origin = _origin


if __name__ == "__main__":
    _LOG = sys.argv.pop(1)
    _patch()
    runpy.run_path(str(FRONT), run_name="__main__")
