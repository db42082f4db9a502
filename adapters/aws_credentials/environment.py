"""What the environment alone says of AWS: most runs need no more, and importing botocore is slow (ADR 0022).

Each function answers as botocore would, or says that it has to be asked. `tests/contract/test_aws_environment.py` compares.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
# Credentials with an expiry can be renewed, and whether endpoints are to be ignored is a switch with several spellings.
_EXPIRY = "AWS_CREDENTIAL_EXPIRATION"
_IGNORED = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"


class AskBotocore(Exception):
    """The answer does not lie in the environment, or not in it alone."""


class FixedKeys(NamedTuple):
    """Credentials that nobody renews."""

    access_key_id: str
    secret_access_key: str
    token: str | None


def fixed_keys(environment: Mapping[str, str]) -> FixedKeys:
    """Return the keys in the environment. Raises `AskBotocore`."""
    _check_no_profile(environment)
    access_key, secret_key = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key or environment.get(_EXPIRY):
        raise AskBotocore
    token = environment.get("AWS_SECURITY_TOKEN") or environment.get("AWS_SESSION_TOKEN")
    return FixedKeys(access_key, secret_key, token or None)


def region(environment: Mapping[str, str]) -> str | None:
    """Return the region; None if none is set anywhere. Raises `AskBotocore`."""
    _check_no_profile(environment)
    named = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not named:
        _check_no_files(environment)
    return named or None


def endpoint_url(environment: Mapping[str, str]) -> str | None:
    """Return the endpoint of S3; None if none is set anywhere. Raises `AskBotocore`."""
    _check_no_profile(environment)
    _check_no_files(environment)
    if _IGNORED in environment:
        raise AskBotocore
    return environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or None


def _check_no_profile(environment: Mapping[str, str]) -> None:
    if any(name in environment for name in _PROFILES):
        raise AskBotocore


def _check_no_files(environment: Mapping[str, str]) -> None:
    """A file that is not there says nothing; botocore takes anything but a file for missing as well."""
    for name, usual in _FILES.items():
        path = os.path.expanduser(os.path.expandvars(environment.get(name, usual)))  # noqa: PTH111 - as botocore does
        if os.path.isfile(path):  # noqa: PTH113 - the same
            raise AskBotocore
