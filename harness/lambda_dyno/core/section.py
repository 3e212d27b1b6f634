"""What all tables of dyno.toml share: nothing unknown, nothing that cannot be shown."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from lambda_dyno.core.errors import brief

TEXT_CHARS_MAX = 2048


class Section(BaseModel):
    """A table of dyno.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _can_be_shown(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what no name, path or title has: it would end up in a file name, or a terminal."""
        texts = value if isinstance(value, list) else [value]
        for text in texts if info.field_name not in ("payload", "values") else ():
            if isinstance(text, str) and (len(text) > TEXT_CHARS_MAX or not text.isprintable()):
                raise ValueError(
                    f'"{brief(text)}": must be up to {TEXT_CHARS_MAX} printable characters'
                )
        return value
