"""`dyno tuner`: the power tuner where there is no Terraform."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from lambda_dyno.cli.support import JsonOption, RegionOption, print_json
from lambda_dyno.core import assets
from lambda_dyno.core.errors import UserError, brief
from lambda_dyno.core.files import write_atomically

tuner_app = typer.Typer(help="The power tuner where there is no Terraform.", no_args_is_help=True)

HELP = """
Write a CloudFormation template of the power tuner: the state machine, functions and roles of \
modules/power_tuner.

Which functions it may tune is in its roles, so say so: a name, or the start of names with *. \
`aws cloudformation package` uploads its code; with --bucket that is done here.

Examples:

\b
  dyno tuner template --function 'shop-*' --output tuner.yaml
  dyno tuner template --function orders --bucket my-packages --output tuner.yaml
  aws cloudformation deploy --template-file tuner.yaml --stack-name dyno-tuner \\\\
    --capabilities CAPABILITY_NAMED_IAM
  dyno tune --function orders --tuner ARN     (the stack's output StateMachineArn)
"""

Names = Annotated[
    list[str] | None,
    typer.Option(
        "--function",
        metavar="NAME_OR_ARN",
        help="What it may tune; * stands for any characters. May be given several times.",
    ),
]


@tuner_app.command("template", help=HELP)
def template(
    function: Names = None,
    output: Annotated[
        Path | None,
        typer.Option(help="File to write: .json, else YAML. The package is written beside it."),
    ] = None,
    bucket: Annotated[
        str | None,
        typer.Option(help="S3 bucket of your account to put the package into, at once."),
    ] = None,
    name_prefix: Annotated[str, typer.Option(help="Start of all names.")] = "dyno",
    architecture: Annotated[
        str, typer.Option(help="Of the tuner's own functions: arm64 or x86_64.")
    ] = "arm64",
    copy_role: Annotated[
        list[str] | None,
        typer.Option(
            "--copy-role",
            metavar="ARN",
            help="Role of a function: a temporary copy with it may be measured "
            "(--isolation clone, versions, aliases, architectures).",
        ),
    ] = None,
    copy_layer: Annotated[
        list[str] | None,
        typer.Option("--copy-layer", metavar="ARN", help="Layer of what is copied."),
    ] = None,
    copies_in_vpc: Annotated[
        bool, typer.Option("--copies-in-vpc", help="Copies are placed into a VPC.")
    ] = False,
    payload_bucket: Annotated[str, typer.Option(help="Bucket that --payload-s3 may name.")] = "",
    payload_keys: Annotated[str, typer.Option(help="Which of its keys, as a pattern.")] = "*",
    processor: Annotated[
        list[str] | None,
        typer.Option(
            "--processor", metavar="NAME_OR_ARN", help="A pre- or post-processor, as --function."
        ),
    ] = None,
    kms_key: Annotated[
        list[str] | None,
        typer.Option("--kms-key", metavar="ARN", help="Key of a function or of payloads."),
    ] = None,
    assumable_role: Annotated[
        list[str] | None,
        typer.Option(
            "--assumable-role", metavar="ARN", help="Role in another account, for functions there."
        ),
    ] = None,
    permissions_boundary: Annotated[
        str, typer.Option(metavar="ARN", help="Of all its roles.")
    ] = "",
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replaced by `HELP`."""
    from lambda_dyno.aws import accounts
    from lambda_dyno.tune import tuner_package, tuner_template

    files = tuner_template.ModuleFiles.read(assets.root() / "modules" / "power_tuner")
    wanted = tuner_template.TunerTemplate(
        functions=tuple(function or ()),
        name_prefix=name_prefix,
        architecture=architecture,
        copy_roles=tuple(copy_role or ()),
        copy_layers=tuple(copy_layer or ()),
        copies_in_vpc=copies_in_vpc,
        payload_bucket=payload_bucket,
        payload_keys=payload_keys,
        processors=tuple(processor or ()),
        kms_keys=tuple(kms_key or ()),
        assumable_roles=tuple(assumable_role or ()),
        permissions_boundary=permissions_boundary,
    )
    tuner_template.check(wanted, files)
    if output is None and bucket is None:
        raise UserError(
            "say where the functions' package goes: --output FILE writes it beside the template, "
            "--bucket NAME puts it into S3"
        )
    if output is not None and (output.is_dir() or not output.absolute().parent.is_dir()):
        raise UserError(f"--output {brief(output, most=300)}: not a file in a folder that is there")
    code: Any
    if bucket is not None:
        code = tuner_package.in_bucket(accounts.connect(region or ""), bucket)
    else:
        assert output is not None
        code = tuner_package.beside(output)
    text = _text(tuner_template.render(wanted, files, code), output)
    if output is None:
        typer.echo(text, nl=False)
        return
    write_atomically(output, text)
    told = {"template": str(output), "code": code, "name": f"{name_prefix}-tuner"}
    if as_json:
        print_json(told)
    else:
        typer.echo("\n".join(_next_steps(output, code, name_prefix)))


def _text(template: dict[str, Any], output: Path | None) -> str:
    if output is not None and output.suffix == ".json":
        return json.dumps(template, indent=2) + "\n"
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:  # CloudFormation knows none
            return True

    return str(yaml.dump(template, Dumper=Dumper, sort_keys=False, width=100))


def _next_steps(output: Path, code: Any, name_prefix: str) -> list[str]:
    file = shlex.quote(str(output))
    lines = [str(output)]
    if isinstance(code, str):
        packaged = shlex.quote(str(output.with_stem(f"{output.stem}-packaged")))
        lines = [f"{output}, and its package {output.with_name(code)}", "upload the package:"]
        lines.append(
            f"  aws cloudformation package --template-file {file} --s3-bucket BUCKET "
            f"--output-template-file {packaged}"
        )
        file = packaged
    lines += [
        "deploy it:",
        (
            f"  aws cloudformation deploy --template-file {file} --stack-name {name_prefix}-tuner "
            "--capabilities CAPABILITY_NAMED_IAM"
        ),
        "tune, with the stack's output StateMachineArn:",
        "  dyno tune --function NAME --tuner ARN",
    ]
    return lines
