"""What MiniStack's Lambda API answers otherwise than AWS's, for who copies a function.

Part of the server's program (`front.py`). GetFunction of a version tells where that version's code
is, not that of $LATEST, and IAM is asked for the function that is created and the layer that is
read, not for all.
tests/emulator/test_lambda_api_seams.py holds what this relies on.
"""

from __future__ import annotations

import contextvars
import json
from typing import Any

_version: contextvars.ContextVar[str] = contextvars.ContextVar("version", default="")


def code_of_versions() -> None:
    """Let MiniStack serve the code of the version that GetFunction was asked for from now on."""
    from ministack.services import lambda_svc

    get, address = lambda_svc._get_function, lambda_svc._presigned_code_url
    serve = lambda_svc.serve_function_code

    def got(name: str, qualifier: str | None = None) -> Any:
        _, config = lambda_svc._get_func_record_for_qualifier(name, qualifier)
        number = str((config or {}).get("Version", ""))
        token = _version.set(number if number.isdecimal() else "")
        try:
            return get(name, qualifier)
        finally:
            _version.reset(token)

    def addressed(name: str) -> Any:
        return address(f"{name}:{_version.get()}" if _version.get() else name)

    def served(name: str, account_id: str | None = None, region: str | None = None) -> Any:
        name, _, number = name.partition(":")
        if not number or not account_id or not region:
            return serve(name, account_id, region)
        function = lambda_svc._functions.get_scoped(account_id, region, name) or {}
        version = function.get("versions", {}).get(number)
        if version is None:
            return 404, {"Content-Type": "text/plain"}, b"Version not found"
        return 200, {"Content-Type": "application/zip"}, version.get("code_zip") or b""

    lambda_svc._get_function = got
    lambda_svc._presigned_code_url = addressed
    lambda_svc.serve_function_code = served


def asked_by_name() -> None:
    """Let MiniStack ask IAM for what a request names from now on.

    For the function of CreateFunction, and for the layer of GetLayerVersionByArn, which is
    lambda:GetLayerVersion.
    """
    from ministack.core import iam_actions

    extract, act = iam_actions.extract_resource_arn, iam_actions.extract_iam_action

    def layer_in(service: str, method: str, path: str, params: Any) -> str:
        arn = (params or {}).get("Arn") or ""
        by_arn = service == "lambda" and method == "GET" and path.rstrip("/").endswith("/layers")
        return str(arn[0] if isinstance(arn, list) else arn) if by_arn else ""

    def acted(
        service: str, method: str, path: str, headers: Any, body: bytes, params: Any
    ) -> str | None:
        found: str | None = act(service, method, path, headers, body, params)
        return "lambda:GetLayerVersion" if layer_in(service, method, path, params) else found

    def extracted(
        service: str,
        method: str,
        path: str,
        headers: Any,
        body: bytes,
        params: Any,
        region: str,
        account: str,
    ) -> Any:
        found = extract(service, method, path, headers, body, params, region, account)
        if service == "lambda" and method == "POST" and path.rstrip("/").endswith("/functions"):
            try:
                name = json.loads(body)["FunctionName"]
            except (ValueError, TypeError, KeyError):
                return found
            return f"arn:aws:lambda:{region}:{account}:function:{name}"
        return layer_in(service, method, path, params) or found

    iam_actions.extract_resource_arn = extracted
    iam_actions.extract_iam_action = acted
