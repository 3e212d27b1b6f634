"""What Terraform says of a root's `.terraform.lock.hcl`, in a line that says what to do.

A run takes the file along: whoever commits one wants those providers, wherever the root is used.
Made on one machine it often has the hashes of that one's platform alone, and Terraform's own words
for that say nothing of which file, and of how to mend it.
"""

from __future__ import annotations

import re

NAME = ".terraform.lock.hcl"
PLATFORMS = ("linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64", "windows_amd64")

_HASHES = re.compile(
    r"package for \S*?(?P<provider>[\w-]+/[\w-]+) (?P<version>[\w.-]+) doesn.t match any of the "
    r"checksums"
)
_RANGE = re.compile(
    r"locked provider \S*?(?P<provider>[\w-]+/[\w-]+) (?P<version>[\w.-]+) does not match "
    r"configured version constraints? (?P<wanted>[^;]+);"
)


def explain(where: str, message: str) -> str:
    """Return what is wrong with the lock file of a root, and how to mend it; empty: nothing.

    Args:
        where: The root, from the project's folder.
        message: What Terraform said, on one line.
    """
    file = f"{where}/{NAME}"
    if found := _HASHES.search(message):
        platforms = " ".join(f"-platform={platform}" for platform in PLATFORMS)
        return (
            f"{file}: it has no hash of {found['provider']} {found['version']} for this platform. "
            f"Write those of all that you use, and commit it: terraform -chdir={where} providers "
            f"lock {platforms}"
        )
    if found := _RANGE.search(message):
        return (
            f"{file}: it holds {found['provider']} {found['version']}, and the root asks for "
            f"{found['wanted'].strip()}. Choose anew, and commit it: terraform -chdir={where} init "
            "-upgrade"
        )
    return ""
