"""What MiniStack's Lambda API answers otherwise than AWS's, for who copies a function.

Part of the server's program (`front.py`). GetFunction of a version tells where that version's code
is, not that of $LATEST, and IAM is asked for the function that is created, not for all.
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


def created_by_name() -> None:
    """Let MiniStack ask IAM for the function that CreateFunction names from now on."""
    from ministack.core import iam_actions

    extract = iam_actions.extract_resource_arn

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
        return found

    iam_actions.extract_resource_arn = extracted
