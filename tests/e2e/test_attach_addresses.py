"""Where an attached run may send requests: addresses that are refused before one leaves.

A server of this machine listens where they lead, as far as they can lead here, and counts.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lambda_dyno.attach import ownership
from lambda_dyno.aws import accounts, lambda_function
from lambda_dyno.aws.accounts import Account
from lambda_dyno.cli.app import app
from lambda_dyno.core.config import AttachSettings
from lambda_dyno.core.errors import StepError, UserError
from lambda_dyno.core.function_name import parse_name
from lambda_dyno.emulator.boto_session import LocalSession
from lambda_dyno.emulator.meter import AnswerCount
from lambda_dyno.emulator.server import LocalServer
from lambda_dyno.load.collection_files import CollectionFiles
from lambda_dyno.load.driver import Allowed, Api, ApiCredentials
from lambda_dyno.load.drivers import newman
from tests.conftest import DeployFunction
from tests.support import asked_server
from tests.support.asked_server import AskedServer
from tests.support.listening import Listener, listening
from tests.support.postman_files import auth, collection, request, script, write

pytestmark = pytest.mark.e2e

HELLO = """
def handler(event, context):
    return {"statusCode": 200, "body": "{}"}
"""
# It sends its caller elsewhere: to what the query says, and by which status.
ELSEWHERE = """
def handler(event, context):
    query = event.get("queryStringParameters") or {}
    if "to" not in query:
        return {"statusCode": 200, "body": "{}"}
    return {"statusCode": int(query.get("by") or 302), "headers": {"Location": query["to"]}}
"""
KEYS = {name: f"{{{{{name}}}}}" for name in ("accessKey", "secretKey", "sessionToken")}
NAME = "internal.example.com"  # which a resolver of the test knows
PUBLIC = "52.94.236.248"


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with listening() as found:
        yield found


class Place:
    """An account with a function and its URL, and another account with the same."""

    def __init__(
        self, server: LocalServer, accounts: tuple[str, str], deploy: DeployFunction
    ) -> None:
        self.server = server
        self.session, other = (LocalSession(server, one) for one in accounts)
        self.url = function_url(self.session, deploy, "mine", ELSEWHERE)
        self.others_url = function_url(other, deploy, "theirs", HELLO)
        self.others_api = other.client("apigatewayv2").create_api(Name="x", ProtocolType="HTTP")
        self.environment = server.environment(accounts[0])


def function_url(session: LocalSession, deploy: DeployFunction, name: str, source: str) -> str:
    """Deploy a function with a URL for everybody, and return that."""
    deploy(session, name, source)
    client = session.client("lambda")
    client.add_permission(
        FunctionName=name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    made = client.create_function_url_config(FunctionName=name, AuthType="NONE")
    return str(made["FunctionUrl"])


@pytest.fixture(scope="module")
def place(
    embedded_aws: LocalServer, new_aws_account: Callable[[], str], deploy_function: DeployFunction
) -> Place:
    return Place(embedded_aws, (new_aws_account(), new_aws_account()), deploy_function)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Place) -> Path:
    """A project without a root; a name of it resolves to whatever a test says."""
    (tmp_path / "envs" / "dev").mkdir(parents=True)
    (tmp_path / "envs" / "dev" / "dyno.toml").write_text(f'[attach]\nhosts = ["{NAME}"]\n')
    monkeypatch.chdir(tmp_path)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def attach(url: str, *more: str) -> tuple[int, str]:
    """Run `dyno run --url` and return its exit status and what it says."""
    done = CliRunner().invoke(app, ["run", "--url", url, "--function", "mine", *more])
    problem = done.exception
    if isinstance(problem, UserError):
        return problem.exit_code, str(problem)
    return done.exit_code, done.output


def here(form: str) -> Callable[[Listener, Place], str]:
    return lambda listener, _: form.format(port=listener.port, host=socket.gethostname())


REFUSED: dict[str, Callable[[Listener, Place], str]] = {
    "EC2's metadata": here("http://169.254.169.254/latest/meta-data/iam/security-credentials/"),
    "by https": here("https://169.254.169.254/latest/meta-data/"),
    "its IPv6": here("http://[fd00:ec2::254]/latest/meta-data/"),
    "ECS's metadata": here("http://169.254.170.2/v2/credentials/"),
    "its name": here("http://instance-data/latest/meta-data/"),
    "its whole name": here("http://instance-data.ec2.internal/latest/meta-data/"),
    "GCP's metadata": here("http://metadata.google.internal/computeMetadata/v1/"),
    "Alibaba's metadata": here("http://100.100.100.200/latest/meta-data/"),
    "Azure's platform": here("http://168.63.129.16/machine"),
    "private, class A": here("https://10.0.0.1/"),
    "private, class B": here("https://172.16.0.1/"),
    "private, class C": here("https://192.168.0.1/"),
    "carrier-grade NAT": here("https://100.64.0.1/"),
    "loopback": here("http://127.0.0.1:{port}/"),
    "loopback, another one": here("http://127.9.9.9:{port}/"),
    "loopback by name": here("http://localhost:{port}/"),
    "below localhost": here("http://api.localhost:{port}/"),
    "unspecified": here("http://0.0.0.0:{port}/"),
    "decimal": here("http://2130706433:{port}/"),
    "hexadecimal": here("http://0x7f000001:{port}/"),
    "hexadecimal parts": here("http://0x7f.0x0.0x0.0x1:{port}/"),
    "octal": here("http://0177.0.0.1:{port}/"),
    "two parts": here("http://127.1:{port}/"),
    "IPv6 loopback": here("http://[::1]:{port}/"),
    "IPv4-mapped": here("http://[::ffff:127.0.0.1]:{port}/"),
    "IPv4-mapped, in hexadecimal": here("http://[::ffff:7f00:1]:{port}/"),
    "NAT64": here("http://[64:ff9b::7f00:1]:{port}/"),
    "6to4": here("http://[2002:7f00:1::1]:{port}/"),
    "unique local": here("http://[fd12:3456::1]:{port}/"),
    "link-local": here("http://[fe80::1]:{port}/"),
    "multicast": here("http://224.0.0.1:{port}/"),
    "broadcast": here("http://255.255.255.255:{port}/"),
    "this machine's name": here("http://{host}:{port}/"),
    "userinfo": here("https://api.example.com@127.0.0.1:{port}/"),
    "a password": here("https://x:y@api.example.com/"),
    "another scheme": here("gopher://127.0.0.1:{port}/"),
    "a file": here("file:///etc/passwd"),
    "wide digits": here("http://①②⑦.0.0.1:{port}/"),
    "backslash": here("http://api.example.com\\@127.0.0.1:{port}/"),
    "an address of AWS that is no API": here("https://dynamodb.us-east-1.amazonaws.com/"),
    "somebody's domain": here("https://api.example.com/"),
    "another account's function URL": lambda _, place: place.others_url,
    "another account's API": lambda _, place: (
        f"https://{place.others_api['ApiId']}.execute-api.us-east-1.amazonaws.com/"
    ),
    "the same by its path": lambda _, place: (
        f"{place.server.endpoint}/_aws/execute-api/{place.others_api['ApiId']}/$default"
    ),
    "an API of another region": here("https://abcdefghij.execute-api.eu-west-1.amazonaws.com/v1"),
    "the endpoint itself": lambda _, place: f"{place.server.endpoint}/2015-03-31/functions",
    "what manages the server": lambda _, place: f"{place.server.endpoint}/_ministack/health",
    "the endpoint's other port": lambda listener, _: (
        f"http://127.0.0.1:{listener.port}/_aws/lambda-url/x"
    ),
}


@pytest.fixture(scope="module")
def account(place: Place) -> Account:
    return accounts.embedded(place.environment, place.session.account_id, "us-east-1")


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED)
def test_an_address_that_is_refused(
    url: Callable[[Listener, Place], str], listener: Listener, place: Place, account: Account
) -> None:
    """A line that names it; nobody was connected to, and another account's function not called."""
    answers = AnswerCount(place.server.home, "theirs")
    function = lambda_function.look_up(parse_name("mine"), account)
    settings = AttachSettings(url=url(listener, place), function="mine")
    with pytest.raises(UserError) as caught:
        ownership.find(settings, function, account)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith("--url ")
    assert "x:y" not in said
    assert listener.connections == 0
    assert answers.since().counted == 0


@pytest.mark.parametrize(
    "name", ["EC2's metadata", "loopback", "another account's API", "the endpoint itself"]
)
def test_nothing_is_made_for_it(name: str, listener: Listener, place: Place, project: Path) -> None:
    """The command ends with status 2 and the line."""
    status, said = attach(REFUSED[name](listener, place))
    assert status == 2, said
    assert said.startswith("--url ")
    assert listener.connections == 0
    assert not (project / "runs").exists()


def test_its_own_addresses_are_found(place: Place, account: Account) -> None:
    """In AWS's form, and in that of the stand-in."""
    function = lambda_function.look_up(parse_name("mine"), account)
    for url in (place.url, account.reachable(place.url)):
        found = ownership.find(AttachSettings(url=url, function="mine"), function, account)
        assert found.words == "function URL of mine"
        assert found.authorization == "NONE"
        assert found.calls == ("mine",)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1"])
def test_a_name_that_resolves_to_what_is_refused(
    address: str, listener: Listener, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though main's dyno.toml names it, and one of its addresses is public."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    rows = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, 443)),
        (family, socket.SOCK_STREAM, 6, "", (address, 443)),
    ]
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: rows if host == NAME else real(host, *a, **k)
    )
    status, said = attach(f"https://{NAME}/", "--env", "dev")
    assert (status, listener.connections) == (2, 0)
    assert said == f"--url https://{NAME}/: {NAME} is {address}, which is no public address"


def test_a_host_that_is_named_may_be_anybodys(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partner's API, if the settings name it and it is public; it is not signed for."""
    function = lambda_function.look_up(parse_name("mine"), account)
    there = replace(account, endpoint="")  # as on AWS; nobody is asked but the clients here
    there.__dict__["session"] = account.session
    host = "abcdefghij.execute-api.us-east-1.amazonaws.com"
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, 443))]
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda name, *a, **k: rows if name == host else real(name, *a, **k)
    )
    settings = AttachSettings(url=f"https://{host}/v1", function="mine")
    with pytest.raises(UserError, match="has no API abcdefghij"):
        ownership.find(settings, function, there)
    named = AttachSettings(url=f"https://{host}/v1", function="mine", hosts=[host])
    found = ownership.find(named, function, there)
    assert (found.place, found.authorization) == (f"{host}:443", "")


# What the driver itself lets through


def api_of(server: AskedServer, *, requests: int = 100, safe: tuple[str, ...] = ()) -> Api:
    """Return a server of the test as if it were the stand-in's API at /api."""
    allowed = Allowed(("api.example.com:443",), f"{server.url}/api", safe, requests)
    return Api(f"{server.url}/api", "us-east-1", allowed=allowed)


def smoke(api: Api, folder: Path, *items: dict[str, Any], **others: Any) -> dict[str, str]:
    """Return why requests failed, by their names."""
    files = CollectionFiles(write(folder / "c.json", collection(*items, **others)))
    found = newman.smoke(api, files, log=folder / "smoke.log", timeout_s=60, ready_s=0.0)
    return {failure.request: failure.message for failure in found.failures}


@pytest.fixture
def server() -> Iterator[AskedServer]:
    with asked_server.running() as found:
        yield found


def test_what_collections_and_scripts_may_not_send(
    server: AskedServer, listener: Listener, tmp_path: Path
) -> None:
    """Neither elsewhere, nor what writes, nor by another name; the API gets the rest."""
    port = listener.port
    send = (
        "pm.sendRequest({{url: {}, method: '{}'}}, (error) => "
        "pm.test('sent', () => {{ if (error) throw error; }}));"
    )
    override = [{"key": "X-HTTP-Method-Override", "value": "DELETE"}]
    host = [{"key": "Host", "value": "other.execute-api.us-east-1.amazonaws.com"}]
    failed = smoke(
        api_of(server, safe=("find",)),
        tmp_path,
        request("reads", "{{baseUrl}}/1"),
        request("find", "{{baseUrl}}/2", method="POST"),
        request("writes", "{{baseUrl}}/no", method="DELETE"),
        request("writes by a header", "{{baseUrl}}/no", header=override),
        request(
            "becomes a writer", "{{baseUrl}}/no", script("prerequest", "pm.request.method = 'PUT';")
        ),
        request("another host", f"http://127.0.0.1:{port}/"),
        request("another name", f"http://localhost:{port}/"),
        request(
            "a variable",
            "http://{{where}}/",
            script("prerequest", f"pm.variables.set('where', '127.0.0.1:{port}');"),
        ),
        request("another path", f"{server.url}/other"),
        request("a longer one", f"{server.url}/apis/1"),
        request("back", f"{server.url}/api/..%2fother"),
        request("another Host", "{{baseUrl}}/no", header=host),
        request("plain", "http://api.example.com/"),
        request("not named", "https://other.example.com/"),
        request(
            "script",
            "{{baseUrl}}/3",
            script("test", send.format(f"'http://127.0.0.1:{port}/'", "GET")),
        ),
        request(
            "script writes",
            "{{baseUrl}}/4",
            script("test", send.format("pm.variables.get('baseUrl') + '/no'", "POST")),
        ),
        variable=[{"key": "baseUrl", "value": ""}],
    )
    assert listener.connections == 0
    assert [path for _, path, _ in server.seen] == [f"/api/{number}" for number in (1, 2, 3, 4)]
    # of what scripts send, the script has the error, and so its assertion fails
    by_scripts = {failed.pop("script"), failed.pop("script writes")}
    assert by_scripts == {"sent"}
    assert all(message.startswith("not sent: ") for message in failed.values()), failed
    assert {"reads", "find"} & failed.keys() == set()
    assert len(failed) == 14


def test_redirects_lead_nowhere_else(
    place: Place, account: Account, listener: Listener, tmp_path: Path
) -> None:
    """By any status, to any of the forms; within the API they are followed."""
    url = account.reachable(place.url).rstrip("/")
    targets = {
        "loopback": f"http://127.0.0.1:{listener.port}/",
        "by name": f"http://localhost:{listener.port}/",
        "decimal": f"http://2130706433:{listener.port}/",
        "mapped": f"http://[::ffff:127.0.0.1]:{listener.port}/",
        "metadata": "http://169.254.169.254/latest/meta-data/",
        "https": f"https://127.0.0.1:{listener.port}/",
        "private": "https://10.0.0.1/",
        "another account": account.reachable(place.others_url),
        "the endpoint": f"{place.server.endpoint}/2015-03-31/functions",
        "no scheme": f"//127.0.0.1:{listener.port}/",
    }
    answers = AnswerCount(place.server.home, "theirs")
    own = Allowed((), url, (), 100)
    keys = ApiCredentials.of(account.session)
    failed = smoke(
        Api(url, "us-east-1", keys, allowed=own),
        tmp_path,
        *(
            request(f"{name} {by}", f"{{{{baseUrl}}}}/?to={target}&by={by}")
            for (name, target), by in zip(
                targets.items(), (301, 302, 303, 307, 308) * 2, strict=True
            )
        ),
        request("within", f"{{{{baseUrl}}}}/?to={url}/there"),
        auth=auth("awsv4", service="{{service}}", region="{{region}}", **KEYS),
        variable=[{"key": "baseUrl", "value": ""}],
    )
    assert listener.connections == 0
    assert answers.since().counted == 0
    assert len(failed) == len(targets), failed
    assert all("not sent: " in message for message in failed.values()), failed


RESOLVER = """
import dns from 'node:dns';
import {{ syncBuiltinESMExports }} from 'node:module';

// a name whose address is another one each time it is asked for
const answers = {answers};
dns.lookup = (host, options, callback) => {{
  const address = answers.length > 1 ? answers.shift() : answers[0];
  const family = address.includes(':') ? 6 : 4;
  const all = options.all ? [{{ address, family }}] : address;
  process.nextTick(callback, null, all, family);
}};
syncBuiltinESMExports();
"""


def test_a_name_that_is_bound_anew(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a name resolves to is looked at when it is connected to, each time."""
    answers = ["192.0.2.1", "::1", "10.0.0.1", "127.0.0.1"]
    place = f"{NAME}:{listener.port}"
    resolver = tmp_path / "resolver.mjs"
    resolver.write_text(RESOLVER.format(answers=json.dumps(answers)))
    monkeypatch.setenv("NODE_OPTIONS", f"--import={resolver}")
    api = Api(f"https://{place}", "us-east-1", allowed=Allowed((place,), "", (), 100))
    failed = smoke(
        api,
        tmp_path,
        *(request(str(number), f"https://{place}/{number}") for number in range(4)),
    )
    assert listener.connections == 0
    assert len(failed) == 4
    assert all("which is not public" in message for message in failed.values()), failed


def test_no_more_requests_than_were_said(server: AskedServer, tmp_path: Path) -> None:
    """A collection that asks for ever ends where the limit is, and what is left is known."""
    api = api_of(server, requests=5)
    assert api.allowed is not None
    again = script("test", "pm.execution.setNextRequest(pm.info.requestName);")
    failed = smoke(
        api, tmp_path, request("again", "{{baseUrl}}/1", again), request("last", "{{baseUrl}}/2")
    )
    assert len(server.seen) == 5
    assert "max_requests are used up" in failed["again"]
    assert api.allowed.requests_left == 0


@pytest.mark.slow
def test_what_is_recorded_is_refused_as_well(server: AskedServer, tmp_path: Path) -> None:
    """Then nothing is tuned with it."""
    files = CollectionFiles(
        write(tmp_path / "c.json", collection(request("one", f"{server.url}/other")))
    )
    with pytest.raises(StepError, match=r"were not sent\. The first: .* is not of the API"):
        newman.record(api_of(server), files, log=tmp_path / "log", timeout_s=60, safe=())
    assert server.seen == []
