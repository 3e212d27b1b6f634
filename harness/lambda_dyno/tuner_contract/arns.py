"""ARNs of Lambda functions, taken apart."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from lambda_dyno.tuner_contract.values import WrongValueError, shown

EXAMPLE = "arn:aws:lambda:eu-west-1:123456789012:function:my-function"

FUNCTION_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12})"
    r":function:(?P<name>[A-Za-z0-9_-]{1,140})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)


class FunctionArn(NamedTuple):
    """The parts of a Lambda function's ARN."""

    text: str  # without a qualifier
    region: str
    name: str
    qualifier: str  # version or alias; empty if the ARN has none

    @classmethod
    def parse(cls, value: Any) -> FunctionArn:
        """Return the parts.

        Raises:
            WrongValueError: It is no such ARN.
        """
        match = FUNCTION_ARN.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise WrongValueError(
                f"{shown(value)} is not the ARN of a Lambda function, such as {EXAMPLE}"
            )
        qualifier = match["qualifier"] or ""
        text = value.removesuffix(f":{qualifier}") if qualifier else value
        return cls(text=text, region=match["region"], name=match["name"], qualifier=qualifier)

    @property
    def account_id(self) -> str:
        """Whose it is."""
        return self.text.split(":")[4]

    @property
    def of_version(self) -> bool:
        """Whether it names a version or an alias, not the function itself."""
        return self.qualifier not in ("", "$LATEST")

    @property
    def whole(self) -> str:
        """With the version or alias that it names."""
        return f"{self.text}:{self.qualifier}" if self.of_version else self.text
