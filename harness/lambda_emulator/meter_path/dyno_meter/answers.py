"""Counts answers: how many came later than they should, since this machine is slower than AWS.

An answer is held back until its modelled time, and cannot come earlier than this machine has it.
Each is a byte in a file of its function's, and appending is atomic: no worker waits for another.
"""

from __future__ import annotations

import os

IN_TIME, LATE, COLD, COLD_LATE = b".", b"l", b"c", b"C"
LATE_MS = 1.0  # what timers and the scheduler take is no lateness
FOLDER = "answers"


def note(settings_path: str, function_name: str, late_ms: float, *, cold: bool) -> None:
    """Count an answer.

    Args:
        settings_path: The meter's settings file; the folder of counts is beside it.
        function_name: Whose answer it is.
        late_ms: The function's own wall time beyond the modelled one; negative if it was shorter.
        cold: Whether its environment was new.
    """
    late = late_ms > LATE_MS
    kind = (COLD_LATE if late else COLD) if cold else (LATE if late else IN_TIME)
    folder = os.path.join(os.path.dirname(settings_path), FOLDER)
    path = os.path.join(folder, os.path.basename(function_name))
    try:
        os.makedirs(folder, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, kind)
        finally:
            os.close(file)
    except OSError:
        pass  # a full disk is no reason to fail an invocation
