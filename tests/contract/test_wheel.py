"""What people install: the product with all that it needs, and nothing of the developers'."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import lambda_dyno
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
    for name, place in INCLUDED.items():
        if (wheel.PROJECT / name).is_file():
            expected.add(place)
        else:
            expected |= {f"{place}/{file}" for file in sources(name)}
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
        "lambda_dyno/assets/package-lock.json",
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


def test_it_has_the_command_by_both_names(package: zipfile.ZipFile) -> None:
    """`uvx lambda-dyno` starts what is called like the package."""
    (name,) = [name for name in package.namelist() if name.endswith(".dist-info/entry_points.txt")]
    points = configparser.ConfigParser()
    points.read_string(package.read(name).decode())
    main = "lambda_dyno.__main__:main"
    assert dict(points["console_scripts"]) == {"dyno": main, "lambda-dyno": main}


def test_its_version_is_the_packages(metadata: Message) -> None:
    """One place says it, and a release's tag is held against that."""
    assert metadata["Version"] == lambda_dyno.__version__


def test_newmans_lock_names_no_registry_and_has_hashes() -> None:
    """`npm ci` checks each package, wherever it comes from; none runs a script."""
    lock = json.loads((wheel.PROJECT / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("integrity" in package for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
    assert not any(package.get("hasInstallScript") for package in packages.values())


def test_the_source_distribution_makes_the_same_wheel(
    package: zipfile.ZipFile, tmp_path: Path
) -> None:
    """Whoever builds from it gets what the index has, and no tests."""
    archive = wheel.build_sdist(tmp_path)
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    folder = tmp_path / archive.name.removesuffix(".tar.gz")
    assert not (folder / "tests").exists()
    again = zipfile.ZipFile(wheel.build(tmp_path / "wheel", folder))
    assert {i.filename: i.CRC for i in again.infolist()} == {
        i.filename: i.CRC for i in package.infolist()
    }


def test_the_runtime_lock_is_the_products_and_of_the_same_versions() -> None:
    """What the image is made of: all that the wheel needs, nothing of the developers'."""
    whole = locked("requirements.lock")
    runtime = locked("requirements-runtime.lock")
    assert runtime.items() <= whole.items()
    project = tomllib.loads((wheel.PROJECT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["history"], *extras["pdf"]]
    assert {re.match(r"[\w-]+", line)[0] for line in wanted} <= runtime.keys()  # type: ignore[index]
    assert not {"mypy", "ruff", "zizmor"} & runtime.keys()


def locked(name: str) -> dict[str, str]:
    """Return the versions of a lock by package."""
    text = (wheel.PROJECT / name).read_text()
    return dict(re.findall(r"^([\w.-]+)==([^ ;]+)", text, re.MULTILINE))
