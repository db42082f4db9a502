"""What is read from the environment without botocore is what botocore reads from it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from hypothesis import given, settings
from hypothesis import strategies as st

from s3duct.adapters.aws_credentials import AwsSession
from s3duct.adapters.aws_credentials.environment import AskBotocore
from s3duct.domain.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pytest

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
TOKENS = {"AWS_SESSION_TOKEN": ("token", ""), "AWS_SECURITY_TOKEN": ("old-token", "")}
EXPIRY = {"AWS_CREDENTIAL_EXPIRATION": ("2126-01-02T03:04:05Z", "")}
PROFILES = {"AWS_PROFILE": ("p", "nobody", ""), "AWS_DEFAULT_PROFILE": ("p", "")}
REGIONS = {"AWS_REGION": ("one", ""), "AWS_DEFAULT_REGION": ("two", "")}
ENDPOINTS = {
    "AWS_ENDPOINT_URL": ("http://all", ""),
    "AWS_ENDPOINT_URL_S3": ("http://s3", ""),
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": ("true", "false", ""),
}
FILES = {
    "AWS_CONFIG_FILE": ("CONFIG", "$CONFIG_THERE", "/dev/null", "/no/such/file", ""),
    "AWS_SHARED_CREDENTIALS_FILE": ("CREDENTIALS", "/no/such/file", ""),
}
CONFIG = """\
[default]
region = from-config
endpoint_url = http://from-config
[profile p]
region = from-p
endpoint_url = http://from-p
"""
CREDENTIALS = """\
[default]
aws_access_key_id = from-file
aws_secret_access_key = from-file
endpoint_url = http://from-credentials
[p]
aws_access_key_id = from-p
aws_secret_access_key = from-p
"""


def some_of(variables: Mapping[str, tuple[str, ...]]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in variables.items()}
    )


def seldom(variables: Mapping[str, tuple[str, ...]]) -> st.SearchStrategy[dict[str, str]]:
    """What makes all the others moot is left out three times of four."""
    return st.one_of(st.just({}), st.just({}), st.just({}), some_of(variables))


keys = st.one_of(st.just(KEYS), st.just(KEYS), some_of({name: (value, "") for name, value in KEYS.items()}))
environments = st.tuples(
    keys,
    some_of(TOKENS),
    some_of(REGIONS),
    some_of(ENDPOINTS),
    seldom(EXPIRY),
    seldom(PROFILES),
    seldom(FILES),
).map(lambda parts: {name: value for part in parts for name, value in part.items()})


class WithBotocore(AwsSession):
    """Asks botocore for everything."""

    def _said(self, ask: object) -> NoReturn:
        raise AskBotocore


@contextmanager
def environment(variables: Mapping[str, str], home: Path) -> Iterator[None]:
    before = dict(os.environ)
    for name in before:
        if name.startswith(("AWS_", "BOTO")):
            del os.environ[name]
    files = {"CONFIG": str(home / "config"), "CREDENTIALS": str(home / "credentials")}
    os.environ.update({name: files.get(value, value) for name, value in variables.items()})
    os.environ.update(HOME=str(home), CONFIG_THERE=files["CONFIG"], AWS_EC2_METADATA_DISABLED="true")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def answer(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except CredentialsError as error:
        return error.message


@settings(max_examples=60)  # botocore begins anew each time
@given(variables=environments, files_at_home=st.booleans())
def test_the_environment_says_what_botocore_says(
    tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str], files_at_home: bool
) -> None:
    home = tmp_path_factory.getbasetemp() / f"aws-home-{files_at_home}"
    (home / ".aws").mkdir(parents=True, exist_ok=True)
    for folder in (home, home / ".aws") if files_at_home else (home,):
        (folder / "config").write_text(CONFIG)
        (folder / "credentials").write_text(CREDENTIALS)

    with environment(variables, home):
        quick, whole = AwsSession(), WithBotocore()

        assert (answer(quick.region) or None) == (answer(whole.region) or None)
        assert (answer(quick.endpoint_url) or None) == (answer(whole.endpoint_url) or None)
        assert answer(quick.current_credential) == answer(whole.current_credential)


def test_a_profile_that_is_asked_for_is_not_looked_up_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(CREDENTIALS)

    with environment({**KEYS, "AWS_SHARED_CREDENTIALS_FILE": "CREDENTIALS"}, tmp_path):
        assert AwsSession("p").current_credential()["access_key_id"] == "from-p"
        assert AwsSession().current_credential()["access_key_id"] == "key"


def test_keys_and_region_in_the_environment_need_no_botocore() -> None:
    code = """
import sys
from s3duct.adapters.aws_credentials import AwsSession
session = AwsSession()
assert session.current_credential()["access_key_id"] == "key"
assert session.region() == "one"
assert session.is_fixed
assert session.endpoint_url() is None
print(sorted(name for name in sys.modules if name.partition(".")[0] == "botocore"))
"""
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **KEYS, "AWS_REGION": "one"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert outcome.stdout == "[]\n"
