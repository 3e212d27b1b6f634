"""The sections of a report, a module each: a new one is a new file here, and nothing else."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from lambda_dyno.report.section import Section


def _declared() -> tuple[Section, ...]:
    modules = (
        import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    return tuple(sorted((module.SECTION for module in modules), key=lambda section: section.place))


SECTIONS = _declared()
