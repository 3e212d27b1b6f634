"""What Terraform is told of an embedded AWS beside its address: the way to S3 Control.

S3 Control's clients put the account before the host of an endpoint, also of a custom one, and
000000000000.127.0.0.1 has no address. Names below `localhost` have one on some systems only. So the
endpoint is a name that never resolves anywhere (RFC 6761), and the embedded AWS is the proxy that
such names are asked by. Go's clients, and so every provider, ask no proxy for 127.0.0.1 and
localhost, and HTTPS has a proxy variable of its own: only plain HTTP to other hosts goes there, and
is refused. AWS provider 5.100 needs this for resources of S3 Control, and 6.23 and later for the
tags of every bucket (https://github.com/hashicorp/terraform-provider-aws/issues/45292).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

# The variable that names it, and a name that `lambda_emulator.guard` answers for.
_ENDPOINT = "AWS_ENDPOINT_URL"
S3_CONTROL = f"{_ENDPOINT}_S3_CONTROL"
_HOST = "s3-control.dyno.invalid"


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what to set for Terraform; nothing unless an AWS on this machine stands in.

    Args:
        environment: Of Terraform. An endpoint of S3 Control that it names is left alone.
    """
    address = urlsplit(environment.get(_ENDPOINT, ""))
    if address.scheme != "http" or not _is_here(address.hostname or ""):
        return {}
    if environment.get(S3_CONTROL):
        return {}
    found = {
        S3_CONTROL: f"http://{_HOST}:{address.port or 80}",
        "HTTP_PROXY": f"http://{address.netloc}",
    }
    if "*" in _not_proxied(environment):  # it keeps HTTPS from its proxy, too: so there is none
        found |= dict.fromkeys(("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy"), "")
    return found


def _not_proxied(environment: Mapping[str, str]) -> list[str]:
    listed = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    return [part.strip() for part in listed.split(",")]


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
