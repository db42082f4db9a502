"""A store that refuses credentials as expired gets renewed ones, whatever their own expiry says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from s3duct.adapters.aws_credentials import AwsSession
from s3duct.adapters.object_store.s3 import AddressingStyle, S3ObjectStore, S3Settings
from s3duct.domain.errors import CredentialsError, CredentialsExpired, CredentialsUnavailable, ObjectNotFound
from tests.fakes.scripted_s3 import Answer, Reply, Request, ScriptedS3, error_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Gate:
    """Serves whoever has the token that is valid now; refuses others as AWS does: 400, and without a body to HEAD."""

    def __init__(self) -> None:
        self.valid = "token-1"
        self.seen: list[str] = []

    def __call__(self, request: Request) -> Reply:
        token = request.headers.get("x-amz-security-token", "")
        self.seen.append(token)
        if token != self.valid:
            return error_answer(400, "ExpiredToken", "The provided token has expired.")
        if request.method == "HEAD":
            return Answer(404)
        return Answer(headers={"etag": '"e"'})


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def endpoint_url(gate: Gate) -> Iterator[str]:
    with ScriptedS3(gate) as server:
        yield server.endpoint_url


@pytest.fixture
def write_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Write the n-th keys where every AWS tool looks for them."""
    path = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))

    def write(number: int) -> None:
        path.write_text(
            f"[default]\naws_access_key_id = KEY{number}\naws_secret_access_key = secret\n"
            f"aws_session_token = token-{number}\n"
        )

    write(1)
    return write


def store_at(endpoint_url: str) -> S3ObjectStore:
    settings = S3Settings("bucket", "us-east-1", endpoint_url, AddressingStyle.PATH)
    return S3ObjectStore(settings, AwsSession().credential_provider())


def put(store: S3ObjectStore) -> object:
    return asyncio.run(_put(store))


async def _put(store: S3ObjectStore) -> object:
    return await store.put("the/key", b"x")


def test_the_next_try_is_made_with_renewed_credentials(
    endpoint_url: str, gate: Gate, write_keys: Callable[[int], None]
) -> None:
    store = store_at(endpoint_url)
    put(store)
    for number in (2, 3):
        gate.valid = f"token-{number}"
        write_keys(number)
        with pytest.raises(CredentialsExpired) as caught:
            put(store)
        assert caught.value.retryable
        put(store)
    assert gate.seen == ["token-1", "token-1", "token-2", "token-2", "token-3"]


def test_a_refused_head_renews_them_as_well(
    endpoint_url: str, gate: Gate, write_keys: Callable[[int], None]
) -> None:
    store = store_at(endpoint_url)
    gate.valid = "token-2"
    write_keys(1)

    async def head() -> None:
        await store.head("the/key")

    with pytest.raises(CredentialsExpired):
        asyncio.run(head())
    write_keys(2)
    with pytest.raises(ObjectNotFound):
        asyncio.run(head())


def test_nothing_is_sent_with_credentials_that_were_refused(
    endpoint_url: str, gate: Gate, write_keys: Callable[[int], None]
) -> None:
    """Until their source has others: a login in another terminal mends the run."""
    store = store_at(endpoint_url)
    gate.valid = "token-2"
    with pytest.raises(CredentialsExpired):
        put(store)
    for _ in range(3):
        with pytest.raises(CredentialsUnavailable, match="no newer ones") as caught:
            put(store)
        assert caught.value.retryable
    assert gate.seen == ["token-1"]
    write_keys(2)
    put(store)
    assert gate.seen == ["token-1", "token-2"]


def test_renewed_ones_that_are_refused_as_well_are_the_end(
    endpoint_url: str, gate: Gate, write_keys: Callable[[int], None]
) -> None:
    store = store_at(endpoint_url)
    gate.valid = "none"
    with pytest.raises(CredentialsExpired):
        put(store)
    write_keys(2)
    with pytest.raises(CredentialsError, match="refused as well") as caught:
        put(store)
    assert not caught.value.retryable


def test_many_refused_at_once_renew_them_once(
    endpoint_url: str, gate: Gate, write_keys: Callable[[int], None]
) -> None:
    store = store_at(endpoint_url)
    put(store)
    gate.valid = "token-2"
    write_keys(2)

    async def burst() -> list[object]:
        return await asyncio.gather(*(_put(store) for _ in range(10)), return_exceptions=True)

    assert {type(error) for error in asyncio.run(burst())} <= {CredentialsExpired, type(put(store))}
    assert not any(isinstance(error, BaseException) for error in asyncio.run(burst()))


def test_those_of_the_environment_cannot_be_renewed(
    endpoint_url: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-1")
    store = store_at(endpoint_url)
    gate.valid = "token-2"
    with pytest.raises(CredentialsExpired):
        put(store)
    with pytest.raises(CredentialsError, match="no newer ones") as caught:
        put(store)
    assert not caught.value.retryable
    assert "environment" in caught.value.hint
