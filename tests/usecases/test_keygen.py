"""keygen: one new key, in one new file, and its public half for the caller."""

from __future__ import annotations

import pytest

from s3duct.adapters.age.identities import parse_identities
from s3duct.app.container.key_maker import CipherKeyMaker
from s3duct.app.usecases.keygen import KeygenPorts, KeygenRequest, keygen
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import KeySpecError, LocalResourceError, UsageError
from tests.fakes.clock import FakeClock
from tests.fakes.key_files import FakeKeyFiles

AES, AGE = EncryptionMethod.AES_256_GCM, EncryptionMethod.AGE
every_kind = pytest.mark.parametrize(("method", "post_quantum"), [(AES, False), (AGE, False), (AGE, True)])


def make(files: FakeKeyFiles, method: EncryptionMethod, *, post_quantum: bool = False) -> str | None:
    ports = KeygenPorts(maker=CipherKeyMaker(), files=files, clock=FakeClock())
    return keygen(KeygenRequest("key", method, post_quantum), ports=ports)


def test_an_aes_key_is_32_bytes_and_has_no_recipient() -> None:
    files = FakeKeyFiles()
    assert make(files, AES) is None
    assert list(files.contents) == ["key"]
    assert len(files.contents["key"]) == 32


@pytest.mark.parametrize("post_quantum", [False, True])
def test_an_age_identity_has_the_recipient_that_is_returned(post_quantum: bool) -> None:
    files = FakeKeyFiles()
    recipient = make(files, AGE, post_quantum=post_quantum)
    (identity,) = parse_identities(files.contents["key"])
    assert identity.recipient.text == recipient
    assert recipient.startswith("age1pq1") is post_quantum
    assert files.contents["key"].startswith(b"# created: 2026-01-01T00:00:00+00:00\n")


def test_there_is_no_post_quantum_aes_key() -> None:
    files = FakeKeyFiles()
    with pytest.raises(UsageError, match="--pq") as caught:
        make(files, AES, post_quantum=True)
    assert caught.value.hint
    assert files.contents == {}


@every_kind
def test_a_key_that_is_there_is_never_replaced(method: EncryptionMethod, post_quantum: bool) -> None:
    files = FakeKeyFiles()
    files.contents["key"] = b"precious"
    with pytest.raises(KeySpecError):
        make(files, method, post_quantum=post_quantum)
    assert files.contents == {"key": b"precious"}


@every_kind
def test_a_full_disk_gives_no_recipient_to_seal_for(method: EncryptionMethod, post_quantum: bool) -> None:
    files = FakeKeyFiles()
    files.full = True
    with pytest.raises(LocalResourceError):
        make(files, method, post_quantum=post_quantum)
    assert files.contents == {}
