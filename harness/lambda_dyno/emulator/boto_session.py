"""A boto3 session whose clients all talk to one embedded AWS."""

from __future__ import annotations

from typing import Any

import boto3

from lambda_dyno.emulator.server import LocalServer, check_account


class LocalSession(boto3.Session):  # type: ignore[misc]  # boto3 has no types
    """A `boto3.Session` for one account of an embedded AWS.

    `client` and `resource` get its endpoint unless they are given another; nothing is read
    from the environment or from the user's AWS files.
    """

    def __init__(self, server: LocalServer, account_id: str | None = None) -> None:
        self.account_id = check_account(account_id or server.account_id)
        self.endpoint = server.endpoint
        super().__init__(
            aws_access_key_id=self.account_id,
            aws_secret_access_key=server.secret,
            region_name=server.region,
        )

    def client(self, service_name: str, **options: Any) -> Any:
        """Return a client of the service; options as in boto3."""
        return super().client(service_name, **{"endpoint_url": self.endpoint, **options})

    def resource(self, service_name: str, **options: Any) -> Any:
        """Return a resource of the service; options as in boto3."""
        return super().resource(service_name, **{"endpoint_url": self.endpoint, **options})
