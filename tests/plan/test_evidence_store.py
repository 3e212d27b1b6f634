"""The evidence store as it is planned: who may add what, and that nobody replaces or deletes.

Each policy is judged as a document (tests/support/s3_policy.py), which knows the keys that S3 has
for conditional writes. tests/e2e/test_oidc_roles.py tries the same as the roles.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.s3_policy import Request, judge

if TYPE_CHECKING:
    from tests.plan.conftest import Resources

pytestmark = pytest.mark.plan

ACCOUNT = "arn:aws:iam::111122223333:role"
GATE, MAIN, TUNE = (f"{ACCOUNT}/github-dyno-dev-{role}" for role in ("gate", "main", "tune"))
ADMIN = f"{ACCOUNT}/admin"
BUCKET = "arn:aws:s3:::dyno-evidence-111122223333-eu-west-1"
ALL = {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
# As S3 has it of PutObject and CompleteMultipartUpload, with and without the header.
NEW = {"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}
OVER = {"s3:ObjectCreationOperation": "true"}
PART = {"s3:ObjectCreationOperation": "false"}  # CreateMultipartUpload, UploadPart


class Planned:
    """The policies of an example."""

    def __init__(self, resources: Resources) -> None:
        self.policies: dict[str, Any] = {
            address.removeprefix("module.evidence_store."): json.loads(row["values"]["policy"])
            for address, row in resources.items()
            if row["mode"] == "managed" and "policy" in row["values"]
        }

    def of(self, role: str) -> list[Any]:
        """Return a role's own policies; an administrator's allow everything."""
        ends = (f'/{role}"]', f'["{role}"]')
        found = [policy for name, policy in self.policies.items() if name.endswith(ends)]
        return found or [ALL]

    def may(self, who: str, action: str, key: str, keys: Any = NEW, bucket: str = BUCKET) -> bool:
        """Whether a role may do something to an object, or to the bucket if there is no key."""
        resource = f"{bucket}/{key}" if key else bucket
        own = self.of(who.rpartition("-")[2].rpartition("/")[2])
        everybodys = self.policies["aws_s3_bucket_policy.this"]
        return judge(Request(who, action, resource, keys), everybodys, *own) == "allow"


@pytest.fixture(scope="module")
def planned(examples: dict[str, Resources]) -> Planned:
    """The basic example."""
    return Planned(examples["evidence_store/basic"])


@pytest.fixture(scope="module")
def locked(examples: dict[str, Resources]) -> Planned:
    """The example for auditors."""
    return Planned(examples["evidence_store/locked"])


ROWS, RUNS, RETUNINGS = (
    "dev/main/rows/v1/runs/x",
    "dev/main/runs/r/x/report.md",
    "dev/main/retunings/v1/x",
)
PULL, LAPTOP = "dev/pr/12/rows/v1/runs/x", "dev/other/rows/v1/runs/x"


@pytest.mark.parametrize(
    ("who", "keys"),
    [
        pytest.param(GATE, {PULL}, id="gate"),
        pytest.param(MAIN, {ROWS, RUNS}, id="main"),
        pytest.param(TUNE, {ROWS, RUNS}, id="tune"),
        # whatever an administrator's own policy allows; nothing reads other/ for a decision
        pytest.param(ADMIN, {LAPTOP}, id="admin"),
    ],
)
def test_each_adds_below_its_own_keys_alone(planned: Planned, who: str, keys: set[str]) -> None:
    """A pull request writes nothing that main is judged by, and main nothing of pull requests."""
    every = {ROWS, RUNS, RETUNINGS, PULL, LAPTOP}
    assert {key for key in every if planned.may(who, "s3:PutObject", key)} == keys


@pytest.mark.parametrize(("who", "key"), [(GATE, PULL), (MAIN, ROWS), (ADMIN, LAPTOP)])
def test_nothing_is_replaced_or_deleted(planned: Planned, who: str, key: str) -> None:
    """Neither by who has added it nor by an administrator, in one piece or in parts."""
    assert planned.may(who, "s3:PutObject", key)
    assert not planned.may(who, "s3:PutObject", key, OVER)
    assert not planned.may(who, "s3:PutObject", key, {**OVER, "s3:if-match": "etag"})
    assert planned.may(who, "s3:PutObject", key, PART)  # makes no object
    for action in (
        "s3:BypassGovernanceRetention",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:PutObjectAcl",
        "s3:ReplicateDelete",
        "s3:ReplicateObject",
    ):
        assert not planned.may(who, action, key), action


def test_nobody_without_tls(planned: Planned) -> None:
    """Whoever it is, whatever it asks for."""
    plain = {**NEW, "aws:SecureTransport": "false"}
    assert not planned.may(GATE, "s3:PutObject", PULL, plain)
    assert not planned.may(ADMIN, "s3:GetObject", PULL, plain)
    assert not planned.may(ADMIN, "s3:ListBucket", "", plain)


def test_what_athena_writes_may_be_replaced(planned: Planned) -> None:
    """It makes its results anew, and deletes what it had begun."""
    for action, keys in (("s3:PutObject", OVER), ("s3:DeleteObject", {})):
        assert planned.may(ADMIN, action, "athena-results/x.csv", keys)


def test_adders_read_nothing_and_readers_read_main(planned: Planned) -> None:
    """The tune role does both; of pull requests it reads nothing."""
    for who in (GATE, MAIN):
        assert not planned.may(who, "s3:GetObject", PULL)
        assert not planned.may(who, "s3:GetObject", ROWS)
        assert not planned.may(who, "s3:ListBucket", "", {"s3:prefix": "dev/main/rows/"})
    assert planned.may(TUNE, "s3:GetObject", ROWS)
    assert planned.may(TUNE, "s3:GetObject", RETUNINGS)
    assert planned.may(TUNE, "s3:ListBucket", "", {"s3:prefix": "dev/main/rows/v1/"})
    assert not planned.may(TUNE, "s3:GetObject", PULL)
    for prefix in ("", "dev/", "dev/pr/12/", "prod/main/"):
        assert not planned.may(TUNE, "s3:ListBucket", "", {"s3:prefix": prefix})
    assert not planned.may(TUNE, "s3:ListBucket", "", {})


def test_two_environments_below_a_prefix(locked: Planned) -> None:
    """Without an adder nobody adds; another environment's adders are none of this one's."""
    bucket = "arn:aws:s3:::acme-evidence"

    def may(role: str, action: str, key: str) -> bool:
        keys = {**NEW, "kms:ViaService": "s3.us-east-1.amazonaws.com"}
        return locked.may(f"{ACCOUNT}/{role}", action, key, keys, bucket)

    assert may("ci/shop-tune", "s3:PutObject", "shop/prod/main/rows/v1/runs/x")
    assert not may("ci/shop-tune", "s3:PutObject", "prod/main/rows/v1/runs/x")
    assert not may("ci/shop-tune", "s3:PutObject", "shop/test/main/rows/v1/runs/x")
    assert may("shop-retune", "s3:PutObject", "shop/prod/main/retunings/v1/x.json")
    assert not may("shop-retune", "s3:PutObject", "shop/prod/main/rows/v1/runs/x")
    assert may("shop-gate", "s3:PutObject", "shop/test/pr/1/rows/v1/runs/x")
    assert not may("shop-gate", "s3:PutObject", "shop/prod/pr/1/rows/v1/runs/x")
    assert not may("admin", "s3:PutObject", "shop/test/main/rows/v1/runs/x")
    assert may("auditor", "s3:GetObject", "shop/test/pr/1/rows/v1/runs/x")
    assert not may("auditor", "s3:GetObject", "shop/test/other/rows/v1/runs/x")
    assert not may("auditor", "s3:PutObject", "shop/test/other/rows/v1/runs/x")


def test_a_key_is_used_through_s3_alone(locked: Planned) -> None:
    """And by adders to encrypt, by readers to decrypt."""
    (adder,) = locked.policies['aws_iam_role_policy.adder["test/pr/gate"]']["Statement"][1:]
    (reader,) = locked.policies['aws_iam_role_policy.reader["auditor"]']["Statement"][2:]
    assert adder["Action"] == ["kms:GenerateDataKey", "kms:Decrypt"]
    assert reader["Action"] == "kms:Decrypt"
    for statement in (adder, reader):
        assert statement["Resource"].endswith(":key/1234abcd-12ab-34cd-56ef-1234567890ab")
        (service,) = statement["Condition"]["StringLike"].values()
        assert service.startswith("s3.") and service.endswith(".amazonaws.com*")


def test_statements_have_names_of_their_own(planned: Planned, locked: Planned) -> None:
    """IAM takes no two of one name, in letters and digits."""
    for policies in (planned.policies, locked.policies):
        for policy in policies.values():
            names = [statement["Sid"] for statement in policy["Statement"]]
            assert len(set(names)) == len(names)
            assert all(name.isalnum() for name in names)


@pytest.mark.parametrize(
    ("condition", "keys", "holds"),
    [
        ({"Null": {"s3:if-none-match": "true"}}, {}, True),
        ({"Null": {"s3:if-none-match": "true"}}, {"s3:if-none-match": "*"}, False),
        ({"Null": {"s3:if-none-match": "false"}}, {"s3:if-none-match": "*"}, True),
        ({"Bool": {"s3:ObjectCreationOperation": "true"}}, {}, False),
        ({"Bool": {"s3:ObjectCreationOperation": "true"}}, OVER, True),
        ({"ArnNotEquals": {"aws:PrincipalArn": [GATE, MAIN]}}, {}, False),
        ({"ArnNotEquals": {"aws:PrincipalArn": [GATE]}}, {}, True),
        ({"ArnNotEquals": {"aws:Nobody": [GATE]}}, {}, True),
        ({"StringLike": {"s3:prefix": ["dev/main/*"]}}, {"s3:prefix": "dev/main/"}, True),
        ({"StringLike": {"s3:prefix": ["dev/main/*"]}}, {"s3:prefix": "dev/maintenance"}, False),
        ({"StringLike": {"s3:prefix": ["dev/main/*"]}}, {}, False),
    ],
)
def test_the_judge_knows_what_aws_documents(condition: Any, keys: Any, holds: bool) -> None:
    """Or the tests above would prove nothing."""
    statement = {"Effect": "Allow", "Action": "s3:Put*", "Resource": "*", "Condition": condition}
    asked = Request(MAIN, "s3:PutObject", f"{BUCKET}/x", keys)
    wanted = "allow" if holds else "implicit deny"
    assert judge(asked, {"Statement": [statement]}) == wanted
    refusing = {"Statement": [{**statement, "Effect": "Deny"}]}
    assert judge(asked, ALL, refusing) == ("deny" if holds else "allow")
