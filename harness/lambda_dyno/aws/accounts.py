"""The AWS account that a run works in: credentials, region, endpoint.

There is one path for an account and for the embedded AWS: an endpoint and a pair of keys in
the environment are all the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.config
import botocore.exceptions
import botocore.session
from botocore.parsers import ResponseParserError

from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.errors import StepError, UserError, brief
from lambda_dyno.core.regions import is_region

_CREDENTIAL_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
)

# An API by API Gateway, or a function URL: "https://ID.execute-api.REGION.amazonaws.com/v1".
_BY_HOST = re.compile(
    r"(?P<scheme>https?|wss?)://(?P<id>[^./?#]+)\.(?P<plane>execute-api|lambda-url)\.[^/?#]+"
    r"(?P<path>/?[^?#]*)(?P<rest>.*)",
    re.IGNORECASE,
)
_DEFAULT_STAGE = "$default"

# Error codes of STS for keys that are wrong or no longer good.
_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "AccessDenied",
}


class NoCredentialsError(UserError):
    """There are no credentials, where they are needed."""


class Session(boto3.Session):  # type: ignore[misc]
    """A boto3 session whose clients all go to one endpoint, if there is one."""

    def __init__(self, *, endpoint_url: str | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.endpoint_url = endpoint_url

    def client(self, service_name: str, **arguments: Any) -> Any:
        """Return a client, for the session's endpoint unless another is named."""
        return super().client(service_name, **self._with_endpoint(arguments))

    def resource(self, service_name: str, **arguments: Any) -> Any:
        """Return a resource, for the session's endpoint unless another is named."""
        return super().resource(service_name, **self._with_endpoint(arguments))

    def _with_endpoint(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if self.endpoint_url:
            arguments.setdefault("endpoint_url", self.endpoint_url)
        return arguments


@dataclass(frozen=True)
class Account:
    """Where a run works.

    Attributes:
        account_id: Twelve digits.
        region: Such as "eu-west-1".
        endpoint: URL of the embedded AWS (or another stand-in); empty for AWS itself.
        environment: Variables that point a program (Terraform, the load driver) there.
        unset: Variables to take away from such a program, so that it cannot look elsewhere.
    """

    account_id: str
    region: str
    endpoint: str
    environment: Mapping[str, str] = field(repr=False)  # keys are in it
    unset: tuple[str, ...] = ()

    @cached_property
    def session(self) -> Session:
        """A session for this account."""
        if not self.endpoint:
            return Session(region_name=self.region)
        return Session(
            region_name=self.region,
            endpoint_url=self.endpoint,
            botocore_session=_without_profile() if "AWS_PROFILE" in self.unset else None,
            **_keys(self.environment),
        )

    def reachable(self, url: str) -> str:
        """Return the URL of an API or of a function as it is to be reached from here.

        AWS names REST, HTTP and WebSocket APIs and function URLs by their hosts; a stand-in on
        this machine answers for all hosts at its endpoint and takes the id from the path. Any
        other URL stays as it is.
        """
        found = _BY_HOST.match(url)
        if not self.endpoint or found is None:
            return url
        plane, path = found["plane"].lower(), found["path"]
        if plane == "execute-api" and path.strip("/") == "":
            path = f"/{_DEFAULT_STAGE}{path}"  # which an HTTP API answers for without a path
        endpoint = self.endpoint.rstrip("/")
        if found["scheme"].lower() in ("ws", "wss"):
            endpoint = f"ws{endpoint.removeprefix('http')}"
        return f"{endpoint}/_aws/{plane}/{found['id']}{path}{found['rest']}"

    def program_environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the whole environment for a program that works in this account."""
        environment = {k: v for k, v in os.environ.items() if k not in self.unset}
        return {**environment, **self.environment, **(extra or {})}


def connect(region: str, environ: Mapping[str, str] = os.environ) -> Account:
    """Find the account that the environment's credentials name, and prove that they work.

    Args:
        region: From the settings; empty takes what the SDK finds.
        environ: The process's environment.

    Raises:
        NoCredentialsError: No credentials.
        UserError: No region, an endpoint that is none, or STS refuses the credentials.
    """
    endpoint = _endpoint(environ)
    # boto3 reads AWS_DEFAULT_REGION alone; the other SDKs and the AWS CLI prefer AWS_REGION
    wanted = region or environ.get("AWS_REGION", "")
    try:
        session = Session(region_name=wanted or None, endpoint_url=endpoint or None)
    except botocore.exceptions.ProfileNotFound as error:
        raise UserError(
            f"AWS_PROFILE: {_on_a_line(error)}. `aws configure list-profiles` lists them."
        ) from error
    except (botocore.exceptions.BotoCoreError, OSError, ValueError) as error:
        raise UserError(f"the AWS configuration cannot be read: {_on_a_line(error)}") from error
    try:
        if session.get_credentials() is None:
            raise botocore.exceptions.NoCredentialsError
    except (botocore.exceptions.BotoCoreError, OSError, ValueError) as error:
        raise _no_credentials(error) from error
    found_region = session.region_name
    if not found_region:
        raise UserError(
            "no AWS region: set AWS_REGION, or region under [environment] in the "
            "environment's dyno.toml."
        )
    if not is_region(found_region):
        raise UserError(
            f"AWS region {brief(repr(found_region))} (AWS_REGION, AWS_DEFAULT_REGION or the "
            "profile): must look like us-east-1"
        )
    account_id = _account_of(session, endpoint)
    environment = {"AWS_REGION": found_region, "AWS_DEFAULT_REGION": found_region}
    if endpoint:
        environment |= {"AWS_ENDPOINT_URL": endpoint}
        environment |= {k: environ[k] for k in _CREDENTIAL_VARIABLES if k in environ}
    return Account(
        account_id=account_id,
        region=found_region,
        endpoint=endpoint,
        environment=environment,
    )


def _account_of(session: Any, endpoint: str) -> str:
    """Return the account of a session's credentials, as STS says.

    Raises:
        UserError: It refuses them, or does not answer.
    """
    config = botocore.config.Config(connect_timeout=5, read_timeout=15, retries={"max_attempts": 2})
    try:
        return str(session.client("sts", config=config).get_caller_identity()["Account"])
    except botocore.exceptions.ClientError as error:
        code = errors.code(error)
        if code in _BAD_CREDENTIALS:
            what = "have expired" if "Expired" in code else f"are refused ({code})"
            raise UserError(
                f"the AWS credentials {what}. Renew them (`aws sso login`, or new keys) and "
                "check with `aws sts get-caller-identity`."
            ) from error
        raise UserError(f"AWS STS answered {code}: {error}") from error
    except (
        botocore.exceptions.NoCredentialsError,
        botocore.exceptions.PartialCredentialsError,
        botocore.exceptions.CredentialRetrievalError,
        botocore.exceptions.TokenRetrievalError,
        botocore.exceptions.SSOError,
    ) as error:
        raise _no_credentials(error) from error
    except (botocore.exceptions.BotoCoreError, ResponseParserError) as error:
        where = f" at AWS_ENDPOINT_URL={endpoint}" if endpoint else ""
        raise UserError(f"AWS does not answer{where}: {_on_a_line(error)}") from error
    except (OSError, ValueError) as error:  # such as a CA bundle that is none, a key with a newline
        raise UserError(f"AWS cannot be asked: {_on_a_line(error)}") from error


def _endpoint(environ: Mapping[str, str]) -> str:
    """Return the address in the place of AWS's; empty: AWS's own.

    Raises:
        UserError: It is none.
    """
    endpoint = environ.get("AWS_ENDPOINT_URL", "")
    try:
        parts = urlsplit(endpoint)
        known = (
            parts.scheme in ("http", "https")
            and re.fullmatch(r"[A-Za-z0-9._:-]+", parts.hostname or "")
            and parts.port != 0
        )
    except ValueError:  # such as a port that is no number
        known = False
    if endpoint and not known:
        raise UserError(
            f"AWS_ENDPOINT_URL={brief(endpoint)}: must be an address such as "
            "http://127.0.0.1:4566, or unset for AWS itself"
        )
    return endpoint


@contextmanager
def errors_of(step: str) -> Iterator[None]:
    """Tell an error of AWS inside as the failure of a step.

    Raises:
        StepError: AWS refused something, or did not answer.
    """
    try:
        yield
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        raise StepError(step, f"AWS refused, or did not answer: {error}") from error


def _on_a_line(error: Exception) -> str:
    """Return what an error says; there may be all sorts of things from the environment in it."""
    return brief(" ".join(str(error).split()), most=300)


def _no_credentials(error: Exception) -> NoCredentialsError:
    return NoCredentialsError(
        f"no AWS credentials ({_on_a_line(error)}). Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY; or run without an account: make tune ENV=local."
    )


def embedded(environment: Mapping[str, str], account_id: str, region: str) -> Account:
    """Return the account of an embedded AWS that was started for this run.

    Args:
        environment: What the server says points a program at it.
        account_id: Its twelve digits.
        region: Its region.
    """
    return Account(
        account_id=account_id,
        region=region,
        endpoint=environment["AWS_ENDPOINT_URL"],
        environment=dict(environment),
        # With these of the user's, programs would go elsewhere, or be slower.
        unset=(
            "AWS_CA_BUNDLE",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_PROFILE",
            "AWS_ROLE_ARN",
            "AWS_SESSION_TOKEN",
            "AWS_USE_DUALSTACK_ENDPOINT",
            "AWS_USE_FIPS_ENDPOINT",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            *(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL_")),
        ),
    )


def _without_profile() -> botocore.session.Session:
    """Return a session of the SDK that no profile, and no variable beside, sends elsewhere."""
    nothing, no_file = (None, None, None, None), (None, None, os.devnull, None)
    return botocore.session.Session(
        {
            "config_file": no_file,
            "credentials_file": no_file,
            "profile": nothing,
            "use_dualstack_endpoint": nothing,
            "use_fips_endpoint": nothing,
        }
    )


def _keys(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Return the keys of an environment as boto3 wants them; none: its own chain."""
    if "AWS_ACCESS_KEY_ID" not in environment:
        return {}
    return {
        "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": environment.get("AWS_SECRET_ACCESS_KEY"),
        "aws_session_token": environment.get("AWS_SESSION_TOKEN"),
    }
