"""What an account needs before the first run: a bucket for states, and roles for GitHub.

The state of the bootstrap is in the bucket that it describes. So there is no first run that is
different: the bucket is made if it is missing, empty and by one call; then Terraform works with
the S3 backend, adopts the bucket and sets it up. Whatever interrupts it, the next run goes on.

What is there already and is not this environment's (tag `dyno:bootstrap`) is used and left as
it is: a bucket that dyno.toml names, another environment's bucket, the account's OIDC provider.
"""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import botocore.exceptions

from lambda_dyno.aws import accounts
from lambda_dyno.core import aws_errors as errors
from lambda_dyno.core.config import Env, load_env
from lambda_dyno.core.errors import StepError, UserError, brief
from lambda_dyno.core.files import locked, write_json
from lambda_dyno.core.private import make_folder
from lambda_dyno.core.progress import Ui
from lambda_dyno.deploy import evidence_bucket
from lambda_dyno.deploy.bucket_owner import OWNER_TAG, bucket_owner
from lambda_dyno.deploy.evidence_bucket import EvidenceBucket
from lambda_dyno.deploy.repository import Repository
from lambda_dyno.environments import account_bucket, progress
from lambda_dyno.terraform import toolchain
from lambda_dyno.terraform.command import Terraform

_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+")

ROOT = "_bootstrap"
ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
KEEP_VERSIONS_DAYS = 90


@dataclass(frozen=True, slots=True)
class Bucket:
    """The bucket of the states.

    Attributes:
        name: Its name.
        made: Whether this bootstrap has just made it.
        managed: Whether this environment's bootstrap sets it up; if not, it is somebody else's
            and used as it is.
    """

    name: str
    made: bool
    managed: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable for GitHub's workflows.

    Attributes:
        name: Its name.
        value: Its value; none of them is a secret.
        use: "gate" for what works on ephemeral environments (gate, sweep), "deploy" for what
            works on the standing one (deploy, tune); the two may be of different environments.
        environment: The GitHub environment that it belongs to; empty for the repository.
    """

    name: str
    value: str
    use: Literal["gate", "deploy"]
    environment: str = ""

    def command(self, repository: Repository) -> str:
        """Return the command line that sets it."""
        where = f" --env {self.environment}" if self.environment else ""
        return f"gh variable set {self.name} --repo {repository.slug}{where} --body {self.value}"


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What is there now.

    Attributes:
        env: The environment.
        account_id: Its account.
        region: Its region.
        bucket: Where states go.
        changes: What was changed, such as "create module.x"; none: everything was there.
        repository: Whose workflows may work in the account; None: nobody's.
        role_arns: Roles for them: plan, gate, main, deploy, tune.
        boundary_arns: What the gate and the deploy role must bound the roles they make with.
        evidence: The evidence store, as dyno.toml names it; empty: there is none.
    """

    env: str
    account_id: str
    region: str
    bucket: Bucket
    changes: tuple[str, ...]
    repository: Repository | None
    role_arns: Mapping[str, str]
    boundary_arns: Mapping[str, str]
    evidence: str = ""

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What the workflows need to know: ARNs and a region, no secret among them."""
        if self.repository is None:
            return ()
        return (
            Variable("AWS_REGION", self.region, "gate"),
            Variable("DYNO_GATE_ROLE_ARN", self.role_arns["gate"], "gate"),
            Variable("DYNO_GATE_BOUNDARY_ARN", self.boundary_arns["gate"], "gate"),
            Variable("DYNO_MAIN_ROLE_ARN", self.role_arns["main"], "gate"),
            Variable("DYNO_PLAN_ROLE_ARN", self.role_arns["plan"], "deploy"),
            # the plan needs it, too, and is made before the environment's reviewers approve
            Variable("DYNO_DEPLOY_BOUNDARY_ARN", self.boundary_arns["deploy"], "deploy"),
            Variable("DYNO_TUNE_ROLE_ARN", self.role_arns["tune"], "deploy"),
            Variable("AWS_REGION", self.region, "deploy", self.env),
            Variable("DYNO_DEPLOY_ROLE_ARN", self.role_arns["deploy"], "deploy", self.env),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `dyno bootstrap --json` prints."""
        return {
            "env": self.env,
            "account_id": self.account_id,
            "region": self.region,
            "bucket": asdict(self.bucket),
            "changes": list(self.changes),
            "repository": self.repository.claim if self.repository else None,
            "role_arns": dict(self.role_arns),
            "boundary_arns": dict(self.boundary_arns),
            "evidence": self.evidence,
            # to be run before the variables are set
            "limits": list(self.repository.limit_commands()) if self.repository else [],
            "variables": [asdict(variable) for variable in self.variables],
        }


def variable_names() -> tuple[str, ...]:
    """Return the variables that a repository whose workflows work in an account has."""
    nobody = defaultdict[str, str](str)
    bucket = Bucket("", made=False, managed=False)
    told = Bootstrapped("prod", "", "", bucket, (), Repository(""), nobody, nobody)
    return tuple(variable.name for variable in told.variables if not variable.environment)


def role_names(env: Env) -> tuple[str, ...]:
    """Return the names of the roles that workflows assume, if a repository was named."""
    roles = Repository("").subjects(env.name)
    return tuple(f"{_role_prefix(env)}-{role}" for role in roles)


def bootstrap_state_key(env_name: str) -> str:
    """Return where `dyno bootstrap` keeps its state in the bucket of the states."""
    return f"lambda-dyno/bootstrap/{env_name}.tfstate"


def deployed_state_key(env: Env) -> str:
    """Return the key of a standing environment's state."""
    return f"{_state_key_prefix(env)}deployed.tfstate"


def bootstrap(
    project: Path,
    env_name: str,
    ui: Ui,
    *,
    repository: Repository | None = None,
    keep_versions_days: int | None = None,
    kms_key_arns: Sequence[str] | None = None,
    evidence: bool = False,
    evidence_end_days: Mapping[str, int] | None = None,
    retune_role_arns: Sequence[str] | None = None,
    region: str | None = None,
) -> Bootstrapped:
    """Prepare an environment's account; again, it changes nothing.

    Args:
        project: Folder that holds `envs/` and `modules/`.
        env_name: The environment.
        ui: Where progress goes.
        repository: Whose workflows may work in the account; None keeps what was said before.
        keep_versions_days: Days that superseded versions of states are kept; 0: for ever; None:
            as said before, or 90.
        kms_key_arns: Customer managed keys that tuners of the roles may use; None: as said before.
        evidence: Whether to make an evidence store; one that was made stays.
        evidence_end_days: Days after which evidence ends, by its class, in a new store.
        retune_role_arns: Roles that add to main's retunings in the store; None: as said before.
        region: Over dyno.toml's.

    Raises:
        UserError: Something is missing or wrong; nothing was made.
        StepError: Something could not be made; another run goes on from there.
    """
    env = load_env(project, env_name, {"environment.region": region})
    _check_keys(kms_key_arns or ())
    evidence_bucket.check_roles(retune_role_arns or ())
    require_account(env)
    tools = toolchain.prepare(project / ".cache")
    for warning in tools.warnings:
        ui.warn(warning)
    account = accounts.connect(env.settings.environment.region)
    stem = f"{env_name}-{account.account_id}-{account.region}"
    folder = make_folder(project / ".dyno") / "bootstrap" / stem
    with locked(folder.with_suffix(".lock")):
        if repository:
            _foreign_provider(account, env)  # refuses one that is wrong, before anything is made
        store = evidence_bucket.find(account, env, evidence_end_days or {}) if evidence else None
        with ui.step("bucket", "looking for the bucket of the states") as step:
            bucket = find_or_make_bucket(account, env)
            step.update(f"{bucket.name}: {_describe(bucket)}")
        with ui.step("apply", "asking Terraform") as step:
            root = _stage(project, folder)
            terraform = Terraform(root, tools, account.program_environment(), folder / "logs")
            terraform.init(
                {
                    "bucket": bucket.name,
                    "key": bootstrap_state_key(env_name),
                    "region": account.region,
                }
            )
            before = terraform.outputs()
            repository = repository or _remembered(before)
            if keep_versions_days is None:
                keep_versions_days = int(before.get("keep_versions_days", KEEP_VERSIONS_DAYS))
            if kms_key_arns is None:
                kms_key_arns = before.get("kms_key_arns") or []
            variables = _variables(
                account, env, bucket, repository, keep_versions_days, kms_key_arns
            )
            made = evidence_bucket.remembered(before.get("evidence"))
            store = _one_store(store, made, retune_role_arns)
            if store is not None:
                variables["evidence"] = store.variable(env)
            write_json(root / "dyno.auto.tfvars.json", variables)
            changes: list[str] = []
            outputs = terraform.apply(progress.resources(step, "deploying", changes))
            step.update(progress.counted(changes))
    if bucket.made:
        changes.insert(0, f"create bucket {bucket.name}")
    return Bootstrapped(
        env=env_name,
        account_id=account.account_id,
        region=account.region,
        bucket=bucket,
        changes=tuple(changes),
        repository=repository,
        role_arns=outputs["role_arns"],
        boundary_arns=outputs["boundary_arns"],
        evidence=store.store.uri if store else "",
    )


def _one_store(
    wanted: EvidenceBucket | None, made: EvidenceBucket | None, role_arns: Sequence[str] | None
) -> EvidenceBucket | None:
    """Return the store of an environment: the one that was made, or a new one.

    Raises:
        UserError: Another one is wanted than was made, or roles for none.
    """
    if wanted and made and wanted.store != made.store:
        raise UserError(
            f"[evidence] store: the evidence of this environment is in {made.store.uri}, and stays "
            f"there: {wanted.store.uri} cannot take its place"
        )
    store = made or wanted
    if role_arns is None:
        return store
    if store is None:
        raise UserError("--retune-role: there is no evidence store; make one: --evidence")
    return replace(store, retune_role_arns=role_arns)


def require_account(env: Env) -> None:
    """Make sure that an environment has an account to prepare.

    Raises:
        UserError: It has none.
    """
    if env.settings.environment.emulated:
        raise UserError(
            f"envs/{env.name} runs on this machine and keeps its states in runs/: it needs no "
            "bootstrap. Name an environment with an account, such as ENV=dev."
        )


def _check_keys(arns: Sequence[str]) -> None:
    """Make sure that each is the ARN of a KMS key.

    Raises:
        UserError: One is not.
    """
    for arn in arns:
        if not _KEY_ARN.fullmatch(arn):
            raise UserError(
                f"--kms-key {brief(arn)}: not the ARN of a KMS key (an alias is none), such as "
                "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
            )


def _describe(bucket: Bucket) -> str:
    if bucket.made:
        return "made"
    return "there" if bucket.managed else "there, and not this environment's: used as it is"


def _role_prefix(env: Env) -> str:
    return f"github-{env.deployed_name_prefix}"


def _state_key_prefix(env: Env) -> str:
    return f"lambda-dyno/{env.name}/"


def _variables(
    account: accounts.Account,
    env: Env,
    bucket: Bucket,
    repository: Repository | None,
    keep_versions_days: int,
    kms_key_arns: Sequence[str],
) -> dict[str, Any]:
    """Return the variables of the bootstrap's root."""
    variables: dict[str, Any] = {
        "bucket": {
            "name": bucket.name,
            "managed": bucket.managed,
            "superseded_versions_end_days": keep_versions_days,
        },
        "tags": {OWNER_TAG: env.name},
    }
    if repository is None:
        return variables
    prefix = env.deployed_name_prefix
    return variables | {
        "repository": {"claim": repository.claim, "branch": repository.branch},
        "github": {
            "deployed": {"name_prefix": prefix, "state_key": deployed_state_key(env)},
            "environment": env.name,
            "ephemeral_name": env.settings.environment.name,
            "kms_key_arns": sorted(set(kms_key_arns)),
            # another first word than any environment's: the roles must not be able to change
            # themselves
            "name_prefix": _role_prefix(env),
            "provider_arn": _foreign_provider(account, env),
            "state_key_prefix": _state_key_prefix(env),
            "subjects": repository.subjects(env.name),
        },
    }


def _remembered(outputs: Mapping[str, Any]) -> Repository | None:
    """Return the repository that an earlier bootstrap was told of."""
    found = outputs.get("repository")
    return Repository(found["claim"], found["branch"]) if found else None


def _stage(project: Path, folder: Path) -> Path:
    """Copy root and modules, so that nothing is written into the sources; return the root."""
    sources = folder / "terraform"
    shutil.rmtree(sources, ignore_errors=True)
    ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*")
    for part in ("modules", f"envs/{ROOT}"):
        shutil.copytree(project / part, sources / part, ignore=ignore)
    (folder / "logs").mkdir(exist_ok=True)
    return sources / "envs" / ROOT


# The bucket


def find_or_make_bucket(account: accounts.Account, env: Env) -> Bucket:
    """Return the bucket of the states; make it if it is missing.

    Raises:
        UserError: It is somebody else's.
    """
    named = env.settings.environment.state_bucket
    name = account_bucket.name_of(account, named)
    s3 = account.session.client("s3")
    # one that dyno.toml names may be in an account that keeps the states of all
    status = account_bucket.look(account, name, must_be_own=not named)
    if status == 404:
        _make_bucket(s3, name, account, env)
        return Bucket(name, made=True, managed=True)
    if status != 200:
        raise UserError(_refusal(name, status))
    owner = bucket_owner(s3, name)
    # One that dyno.toml names and nobody bootstrapped is the team's, with settings of its own.
    return Bucket(name, made=False, managed=owner == env.name or (not owner and not named))


def _refusal(name: str, status: int) -> str:
    reason = {
        301: "is in another region",
        403: "belongs to another account, or these credentials may not use it (403)",
    }.get(status, f"cannot be looked at ({status})")
    return (
        f"the state bucket {name} {reason}. Name another one: state_bucket under [environment] "
        "in dyno.toml."
    )


def _make_bucket(s3: Any, name: str, account: accounts.Account, env: Env) -> None:
    location = {"CreateBucketConfiguration": {"LocationConstraint": account.region}}
    tags = [{"Key": OWNER_TAG, "Value": env.name}]
    try:
        s3.create_bucket(Bucket=name, **({} if account.region == "us-east-1" else location))
        s3.get_waiter("bucket_exists").wait(Bucket=name)
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    except botocore.exceptions.ClientError as error:
        if errors.code(error) == "BucketAlreadyExists":
            raise UserError(
                f"the state bucket {name}: the name is taken by another account (409). Name "
                "another one: state_bucket under [environment] in dyno.toml."
            ) from error
        raise UserError(
            f"the state bucket {name} cannot be made: {errors.describe(error)}"
        ) from error
    except botocore.exceptions.WaiterError as error:
        raise StepError("bucket", f"{name} was made and does not show up: {error}") from error


# The OIDC provider, of which an account can have one for GitHub


def _foreign_provider(account: accounts.Account, env: Env) -> str | None:
    """Return the account's provider for GitHub if it is not this environment's.

    Raises:
        UserError: It is there and does not take tokens for AWS.
    """
    iam = account.session.client("iam")
    try:
        listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        arns = [row["Arn"] for row in listed if row["Arn"].endswith(f"/{ISSUER}")]
        if not arns:
            return None
        found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arns[0])
    except botocore.exceptions.ClientError as error:
        raise UserError(f"OIDC providers cannot be listed: {errors.describe(error)}") from error
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
    if tags.get(OWNER_TAG) == env.name:
        return None
    if AUDIENCE not in found["ClientIDList"]:
        raise UserError(
            f"the account's OIDC provider {arns[0]} does not take tokens for {AUDIENCE}. Add it: "
            "aws iam add-client-id-to-open-id-connect-provider "
            f"--open-id-connect-provider-arn {arns[0]} --client-id {AUDIENCE}"
        )
    return str(arns[0])
