"""Build the packages of the functions."""

from __future__ import annotations

from lambda_dyno.run.run import Run
from lambda_dyno.terraform import packages
from lambda_dyno.terraform.packages import Package


def step(run: Run) -> dict[str, Package]:
    """Build the packages of all functions."""
    with run.step("build", "packing the functions") as shown:
        built = build(run)
        size_kb = sum(package.size_bytes for package in built.values()) / 1000
        noun = "package" if len(built) == 1 else "packages"
        shown.update(f"{len(built)} {noun}, {size_kb:.{0 if size_kb >= 10 else 1}f} kB")
    for name, package in built.items():
        if package.left_out:
            run.ui.note(f"lambda/{name}: left out of the package: {package.left_out}")
    return built


def build(run: Run) -> dict[str, Package]:
    """Return the packages by the names of their folders."""
    return {
        name: packages.build(run.mode.sources / "lambda" / name, run.folder.build / f"{name}.zip")
        for name in run.mode.package_names()
    }
