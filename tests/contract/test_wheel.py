"""What people install: the product with all that it needs, and nothing of the developers'."""

from __future__ import annotations

import re
import subprocess
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from tests.support import wheel

pytestmark = pytest.mark.contract

SETTINGS = tomllib.loads((wheel.PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]
INCLUDED = SETTINGS["build"]["targets"]["wheel"]["force-include"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The built wheel."""
    return zipfile.ZipFile(wheel.build(tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def metadata(package: zipfile.ZipFile) -> Message:
    """What it says of itself."""
    (name,) = [name for name in package.namelist() if name.endswith(".dist-info/METADATA")]
    return message_from_bytes(package.read(name))


def sources(folder: str) -> set[Path]:
    """Return the files below a folder, those that git ignores left out."""
    listing = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", folder],
        cwd=wheel.PROJECT,
        text=True,
    )
    files = [Path(name) for name in listing.split("\0") if name]
    return {file.relative_to(folder) for file in files if (wheel.PROJECT / file).is_file()}


def test_it_has_the_packages_and_what_they_deploy(package: zipfile.ZipFile) -> None:
    """Each file of harness/ and of what is included, and no other: no tests, no tools."""
    expected = {str(file) for file in sources("harness")}
    for folder, place in INCLUDED.items():
        expected |= {f"{place}/{file}" for file in sources(folder)}
    names = {name for name in package.namelist() if ".dist-info/" not in name}
    assert names == expected
    assert {name.partition("/")[0] for name in names} == {"lambda_dyno", "lambda_emulator"}


@pytest.mark.parametrize(
    "needed",
    [
        "lambda_emulator/requirements.lock",
        "lambda_emulator/meter_path/node/worker.js",
        "lambda_dyno/schemas/result.schema.json",
        "lambda_dyno/tuner_contract/prices.json",
        "lambda_dyno/assets/postman/run.mjs",
        "lambda_dyno/assets/modules/evidence_queries/queries/best-size.sql",
    ],
)
def test_it_has_what_is_no_python(package: zipfile.ZipFile, needed: str) -> None:
    """One of each kind: what is read as a file is where it is looked for."""
    assert package.getinfo(needed).file_size > 0


def test_it_brings_no_emulator_and_pins_no_library(metadata: Message) -> None:
    """The embedded AWS has an environment of its own; botocore is whichever the user has."""
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {re.match(r"[\w-]+", line)[0] for line in needed}  # type: ignore[index]
    assert "boto3" in names
    assert not names & {"ministack", "botocore", "hypercorn"}
    assert [line for line in needed if "==" in line] == ["python-terraform==0.10.1"]
