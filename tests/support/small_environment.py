"""This project's environment without its power tuner: a third of the resources."""

from __future__ import annotations

import re
from pathlib import Path


def without_tuner(project: Path) -> None:
    """Take the tuner out of a project's modules/environment."""
    folder = project / "modules" / "environment"
    main, outputs = (folder / "main.tf").read_text(), (folder / "outputs.tf").read_text()
    main = re.sub(r'\nmodule "power_tuner" \{\n.*?\n\}\n', "", main, flags=re.DOTALL)
    (folder / "main.tf").write_text(main)
    outputs = outputs.replace("module.power_tuner.state_machine_arn", '""')
    (folder / "outputs.tf").write_text(outputs)
