"""The account: who the credentials are is asked before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from lambda_dyno.aws import accounts
from lambda_dyno.core.errors import UserError
from tests.support.serving import TestServer

IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/u</Arn><UserId>u</UserId>
<Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""

ERROR = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
<Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"""


@contextmanager
def sts(status: int, body: str) -> Iterator[str]:
    """Run a server that answers every request as STS would."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with TestServer(Handler).running() as server:
        yield server.url


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys, no profile, no files of the user's."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def test_the_account_is_what_sts_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs get the endpoint and the same keys."""
    with sts(200, IDENTITY) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        account = accounts.connect("eu-west-1")
    assert (account.account_id, account.region, account.endpoint) == (
        "111122223333",
        "eu-west-1",
        url,
    )
    environment = account.program_environment({"X": "1"})
    assert environment["AWS_ENDPOINT_URL"] == url
    assert environment["AWS_ACCESS_KEY_ID"] == "AKIDEXAMPLE"
    assert environment["X"] == "1"
    assert account.session.client("lambda").meta.endpoint_url == url


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("ExpiredToken", "have expired"),
        ("InvalidClientTokenId", r"are refused \(InvalidClientTokenId\)"),
        ("SignatureDoesNotMatch", "are refused"),
    ],
)
def test_keys_that_are_no_good_are_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, code: str, complaint: str
) -> None:
    """The user renews them; no key is shown."""
    with sts(403, ERROR.format(code=code)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(UserError, match=complaint) as caught:
            accounts.connect("eu-west-1")
    assert "aws sso login" in str(caught.value)
    assert "AKID" not in str(caught.value)


def test_missing_keys_are_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the way without an account is named."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UserError, match=r"no AWS credentials.*make tune ENV=local"):
        accounts.connect("eu-west-1")


def test_a_missing_profile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error in AWS_PROFILE is no traceback."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UserError, match="nobody"):
        accounts.connect("eu-west-1")


def test_a_region_must_come_from_somewhere() -> None:
    """Where to set it is said."""
    with pytest.raises(UserError, match=r"no AWS region: set AWS_REGION, or region under"):
        accounts.connect("")


def test_an_endpoint_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that points there is in the message."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"AWS_ENDPOINT_URL=http://127\.0\.0\.1:9"):
        accounts.connect("eu-west-1")


def test_nothing_of_the_users_leads_away_from_an_embedded_aws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A profile is neither asked nor missed; nor are endpoints of single services."""
    elsewhere = {
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_PROFILE": "nobody",
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/ci",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere",
    }
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    keys = {"AWS_ACCESS_KEY_ID": "1", "AWS_SECRET_ACCESS_KEY": "2"}
    with sts(200, IDENTITY) as endpoint:
        account = accounts.embedded({"AWS_ENDPOINT_URL": endpoint, **keys}, "1", "eu-west-1")
        assert account.session.client("sts").get_caller_identity()["Account"]
    assert not elsewhere.keys() & account.program_environment().keys()
    assert account.program_environment()["AWS_ENDPOINT_URL"] == endpoint


def test_an_api_of_a_stand_in_is_reached_at_its_endpoint() -> None:
    """AWS's own host names mean nothing there."""
    url = "https://abcd1234.execute-api.eu-west-1.amazonaws.com/v1"
    assert accounts.Account("1", "eu-west-1", "", {}).reachable(url) == url
    local = accounts.Account("1", "eu-west-1", "http://127.0.0.1:4566", {})
    assert local.reachable(url) == "http://127.0.0.1:4566/_aws/execute-api/abcd1234/v1"


@pytest.mark.parametrize(
    ("url", "reached"),
    [
        ("http://a1.execute-api.127.0.0.1:4566", "http://{}/execute-api/a1/$default"),
        ("https://a1.execute-api.eu-west-1.amazonaws.com/", "http://{}/execute-api/a1/$default/"),
        ("https://a1.execute-api.eu-west-1.amazonaws.com/v1/", "http://{}/execute-api/a1/v1/"),
        ("https://a1.execute-api.cn-north-1.amazonaws.com.cn/v1", "http://{}/execute-api/a1/v1"),
        ("https://a1.execute-api.localhost/v1/x?y=1#z", "http://{}/execute-api/a1/v1/x?y=1#z"),
        ("https://a1.execute-api.localhost?y=1", "http://{}/execute-api/a1/$default?y=1"),
        ("wss://a1.execute-api.eu-west-1.amazonaws.com/v1", "ws://{}/execute-api/a1/v1"),
        ("https://u1.lambda-url.eu-west-1.on.aws/", "http://{}/lambda-url/u1/"),
        ("https://u1.lambda-url.eu-west-1.on.aws", "http://{}/lambda-url/u1"),
        ("HTTPS://A1.Execute-API.localhost/v1", "http://{}/execute-api/A1/v1"),
        ("http://127.0.0.1:4566/x", "http://127.0.0.1:4566/x"),
        ("https://shop.example/execute-api.x/v1", "https://shop.example/execute-api.x/v1"),
        (
            "https://execute-api.eu-west-1.amazonaws.com/",
            "https://execute-api.eu-west-1.amazonaws.com/",
        ),
        ("arn:aws:execute-api:eu-west-1:1:a1/v1", "arn:aws:execute-api:eu-west-1:1:a1/v1"),
        ("", ""),
    ],
)
def test_every_address_that_terraform_tells_is_reached(url: str, reached: str) -> None:
    """REST, HTTP and WebSocket APIs and function URLs; once reached, an address stays."""
    for endpoint in ("http://127.0.0.1:4566", "http://127.0.0.1:4566/"):
        account = accounts.Account("1", "eu-west-1", endpoint, {})
        assert account.reachable(url) == reached.format("127.0.0.1:4566/_aws")
        assert account.reachable(account.reachable(url)) == account.reachable(url)


@pytest.mark.parametrize(
    "names", [("AWS_REGION",), ("AWS_DEFAULT_REGION",), ("AWS_DEFAULT_REGION", "AWS_REGION")]
)
def test_the_region_of_the_environment_is_taken(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    """By either name; AWS_REGION goes first, as in the AWS CLI and all other SDKs."""
    for number, name in enumerate(names, start=1):
        monkeypatch.setenv(name, f"eu-west-{number}")
    with sts(200, IDENTITY) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        assert accounts.connect("").region == f"eu-west-{len(names)}"
        assert accounts.connect("ca-central-1").region == "ca-central-1", "the settings go before"


@pytest.mark.parametrize(
    "endpoint",
    [
        "not a url",
        "127.0.0.1:4566",
        "http://",
        "http://127.0.0.1:abc",
        "ftp://127.0.0.1:1",
        "http://[",
        "file:///etc",
    ],
)
def test_an_endpoint_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    """In one line that names the variable."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(UserError, match=r"^AWS_ENDPOINT_URL=.*must be an address such as http"):
        accounts.connect("")
