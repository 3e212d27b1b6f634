"""Where what is fetched once is kept: a clone's `.cache`, and elsewhere the user's cache folder.

Programs are started out of it. So it is closed to others, and one that is somebody else's is not
used: whoever owns a folder can put another program into it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from lambda_dyno.core import assets
from lambda_dyno.core.errors import UserError, told
from lambda_dyno.core.private import make_folder

_NAME = "lambda-dyno"
_ADVICE = "Set XDG_CACHE_HOME to a folder that is yours and can be written"


def folder_of(what: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for downloads of a kind, such as "emulator"; nothing is made.

    `.cache/WHAT` of a clone, else `$XDG_CACHE_HOME/lambda-dyno/WHAT` or `~/.cache/...`: as the XDG
    base directory specification says, a relative XDG_CACHE_HOME does not count.

    Raises:
        UserError: There is no home folder.
    """
    checkout = assets.checkout()
    if checkout is not None:
        return checkout / ".cache" / what
    return of_user(environ) / what


def of_user(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the user's cache folder of this program, whether or not it runs from a clone.

    Raises:
        UserError: There is no home folder.
    """
    named = environ.get("XDG_CACHE_HOME", "")
    if named and Path(named).is_absolute():
        return Path(named) / _NAME
    try:
        return Path.home() / ".cache" / _NAME
    except RuntimeError as error:  # no HOME, and a user id that nobody knows
        raise UserError("there is no home folder: set HOME or XDG_CACHE_HOME") from error


def make(folder: Path) -> Path:
    """Make a folder for downloads that only its owner may look into, and return it.

    Raises:
        UserError: It cannot be made, or is another user's.
    """
    try:
        make_folder(folder)
        owner = folder.stat().st_uid
    except OSError as error:
        raise UserError(f"downloads cannot be kept: {told(error)}. {_ADVICE}") from error
    if owner not in (os.geteuid(), 0):
        raise UserError(
            f"{folder} belongs to the user with id {owner}, and programs are started from there. "
            f"{_ADVICE}"
        )
    return folder
