"""Keys as settings name them: each file is read once, each passphrase asked for once, and no two kinds are mixed."""

from __future__ import annotations

import io
import os
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from s3duct.adapters.object_store.memory import MemoryObjectStore
from s3duct.app.api import AsyncS3duct, KeyRing, PutOptions, S3duct, Settings, make_key
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import KeyRequired, KeySpecError, UsageError, WrongKey
from s3duct.domain.retry import NO_RETRIES
from tests.fakes.pipe import FakeSink, FakeSource
from tests.support.age_keys import key_pair, protected
from tests.usecases.loop import failure_of, on_loop, run
from tests.usecases.world import CHUNK, KEY, content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = content(3 * CHUNK + 7)
OPTIONS = PutOptions(chunk_size_bytes=CHUNK, seal_manifest=True)
MINE, THEIRS, HYBRID = key_pair("x25519"), key_pair("x25519", 1), key_pair("hybrid")
PATIENCE_S = 20.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        bucket=f"file://{tmp_path / 'bucket'}",
        scratch_dir=tmp_path / "scratch",
        state_dir=tmp_path / "state",
        retry_policy=NO_RETRIES,
    )


def written(path: Path, content: bytes | str) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


@contextmanager
def given_once(path: Path, content: bytes) -> Iterator[str]:
    """A FIFO whose content can be read once, as that of a process substitution `<(...)`: a second reader gets nothing."""
    os.mkfifo(path)

    def give() -> None:
        with path.open("wb") as pipe:
            pipe.write(content)
        path.unlink()

    giver = threading.Thread(target=give, daemon=True)
    giver.start()
    yield str(path)
    giver.join(PATIENCE_S)
    assert not giver.is_alive(), "nobody read it"


def there_and_back(s3duct: S3duct) -> None:
    """Everything that asks for keys, more than once."""
    for name in ("one", "two"):
        s3duct.put(name, io.BytesIO(DATA), OPTIONS)
        restored = io.BytesIO()
        s3duct.get(name, restored)
        assert restored.getvalue() == DATA
        assert s3duct.verify(name, deep=True).plain_checked
    assert all(stream.manifest is not None for stream in s3duct.list())


# --- read once --------------------------------------------------------------------------------------------------------


def test_an_identity_file_is_read_once(settings: Settings, tmp_path: Path) -> None:
    with given_once(tmp_path / "pipe", MINE.file) as path:
        there_and_back(S3duct(replace(settings, age_identities=[path])))


def test_an_aes_key_file_is_read_once(settings: Settings, tmp_path: Path) -> None:
    with given_once(tmp_path / "pipe", KEY) as path:
        there_and_back(S3duct(replace(settings, key=f"file:{path}")))


def test_a_recipients_file_is_read_once(settings: Settings, tmp_path: Path) -> None:
    content = f"# the team\n{MINE.recipient}\n{THEIRS.recipient}\n".encode()
    with given_once(tmp_path / "pipe", content) as path:
        s3duct = S3duct(replace(settings, age_recipients_files=[path]))
        for name in ("one", "two"):
            s3duct.put(name, io.BytesIO(DATA), OPTIONS)
    for pair in (MINE, THEIRS):
        identity = written(tmp_path / "identity", pair.file)
        restored = io.BytesIO()
        S3duct(replace(settings, age_identities=[identity])).get("two", restored)
        assert restored.getvalue() == DATA


def test_every_file_is_read_once_on_an_event_loop_too(settings: Settings, tmp_path: Path) -> None:
    async def scene(path: str) -> None:
        s3duct = AsyncS3duct(replace(settings, age_identities=[path]))
        for name in ("one", "two"):
            await s3duct.put(name, FakeSource(DATA), OPTIONS)
            sink = FakeSink()
            await s3duct.get(name, sink)
            assert sink.data == DATA
            assert (await s3duct.verify(name, deep=True)).plain_checked

    with given_once(tmp_path / "pipe", MINE.file) as path:
        run(scene(path))


def test_keys_that_were_read_before_are_not_read_again(settings: Settings, tmp_path: Path) -> None:
    with given_once(tmp_path / "pipe", MINE.file) as path:
        settings = replace(settings, age_identities=[path])
        ring = KeyRing(settings)
        assert ring.sealing.recipient == MINE.recipient

    async def scene() -> None:
        await AsyncS3duct(settings, keys=ring).put("stream", FakeSource(DATA), OPTIONS)
        sink = FakeSink()
        await AsyncS3duct(settings, keys=ring).get("stream", sink)
        assert sink.data == DATA

    run(scene())


def test_the_passphrase_is_asked_for_once(settings: Settings, tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(what: str) -> str:
        asked.append(what)
        return "open sesame"

    path = written(tmp_path / "key.age", protected(MINE.file, "open sesame"))
    s3duct = S3duct(replace(settings, age_identities=[path], ask_passphrase=ask))
    assert asked == []  # nobody is asked before it is needed
    there_and_back(s3duct)
    assert asked == [f"the age identity file {path!r}"]


def test_a_passphrase_of_each_file(settings: Settings, tmp_path: Path) -> None:
    def ask(what: str) -> str:
        return "first" if "one" in what else "second"

    paths = [
        written(tmp_path / "one", protected(MINE.file, "first")),
        written(tmp_path / "two", protected(THEIRS.file, "second")),
    ]
    ring = KeyRing(replace(settings, age_identities=paths, ask_passphrase=ask))
    assert ring.sealing.recipient == f"{MINE.recipient},{THEIRS.recipient}"


def test_a_wrong_passphrase_and_none_are_told_apart(settings: Settings, tmp_path: Path) -> None:
    path = written(tmp_path / "key.age", protected(MINE.file, "right"))
    with pytest.raises(WrongKey):
        _ = KeyRing(replace(settings, age_identities=[path], ask_passphrase=lambda _: "wrong")).opening
    with pytest.raises(KeySpecError, match="protected by a passphrase"):
        _ = KeyRing(replace(settings, age_identities=[path])).opening


def test_nothing_is_read_before_it_is_needed(settings: Settings, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    for ring in (
        KeyRing(replace(settings, age_identities=[missing])),
        KeyRing(replace(settings, key=f"file:{missing}")),
    ):
        for attempt in ("sealing", "opening"):
            with pytest.raises(KeySpecError):
                getattr(ring, attempt)
    recipients_alone = KeyRing(replace(settings, age_recipients_files=[missing]))
    assert recipients_alone.opening.method is EncryptionMethod.NONE
    with pytest.raises(KeySpecError):
        _ = recipients_alone.sealing


# --- which cipher -----------------------------------------------------------------------------------------------------


def test_without_any_key_nothing_is_sealed(settings: Settings) -> None:
    ring = KeyRing(settings)
    assert ring.sealing.method is ring.opening.method is EncryptionMethod.NONE


def test_an_aes_key_seals_and_opens(settings: Settings) -> None:
    ring = KeyRing(replace(settings, key=f"hex:{KEY.hex()}"))
    assert ring.sealing is ring.opening
    assert ring.sealing.method is EncryptionMethod.AES_256_GCM


def test_identities_open_and_put_seals_for_their_owners_and_all_recipients(
    settings: Settings, tmp_path: Path
) -> None:
    third = key_pair("ssh-ed25519")
    ring = KeyRing(
        replace(
            settings,
            age_identities=[written(tmp_path / "identity", MINE.file)],
            age_recipients=[THEIRS.recipient, MINE.recipient],
            age_recipients_files=[written(tmp_path / "recipients", third.recipient + " me@host\n")],
        )
    )
    assert ring.sealing.recipient == f"{MINE.recipient},{THEIRS.recipient},{third.recipient}"
    assert ring.opening.recipient is None
    assert ring.opening.may_open(MINE.recipient)
    assert not ring.opening.may_open(THEIRS.recipient)


def test_recipients_seal_and_open_nothing(settings: Settings) -> None:
    s3duct = S3duct(replace(settings, age_recipients=[MINE.recipient]))
    s3duct.put("stream", io.BytesIO(DATA), OPTIONS)
    with pytest.raises(KeyRequired, match="encrypted with age") as caught:
        s3duct.get("stream", io.BytesIO())
    assert "--age-identity" in caught.value.hint


# --- what is not mixed ------------------------------------------------------------------------------------------------


def test_an_aes_key_and_age_keys_are_refused_before_anything_is_read(settings: Settings) -> None:
    age: list[dict[str, Any]] = [
        {"age_identities": ["/missing"]},
        {"age_recipients": [MINE.recipient]},
        {"age_recipients_files": ["/missing"]},
    ]
    for keys in age:
        both = replace(settings, key="file:/missing", **keys)
        for make in (KeyRing, S3duct):
            with pytest.raises(UsageError, match="cannot be used at once") as caught:
                make(both)
            assert "--key" in caught.value.message
            assert caught.value.hint


@on_loop
async def test_an_aes_key_and_age_keys_are_refused_on_an_event_loop_too() -> None:
    both = Settings(bucket="memory", key=f"hex:{KEY.hex()}", age_recipients=[MINE.recipient])
    s3duct = AsyncS3duct(both, store=MemoryObjectStore())
    assert type(await failure_of(s3duct.put("stream", FakeSource(DATA), OPTIONS))) is UsageError
    assert type(await failure_of(s3duct.get("stream", FakeSink()))) is UsageError


def test_post_quantum_and_classic_identities_open_together_but_do_not_seal(
    settings: Settings, tmp_path: Path
) -> None:
    paths = [written(tmp_path / "classic", MINE.file), written(tmp_path / "hybrid", HYBRID.file)]
    for pair, path in zip((MINE, HYBRID), paths, strict=True):
        S3duct(replace(settings, age_identities=[path])).put(
            "pq" if pair is HYBRID else "classic", io.BytesIO(DATA), OPTIONS
        )
    both = S3duct(replace(settings, age_identities=paths))
    with pytest.raises(UsageError, match="cannot be mixed"):
        both.put("stream", io.BytesIO(DATA), OPTIONS)
    for name in ("classic", "pq"):
        restored = io.BytesIO()
        both.get(name, restored)
        assert restored.getvalue() == DATA
        assert both.verify(name).ok
    assert [stream.name for stream in both.list()] == ["classic", "pq"]


def test_post_quantum_recipients_and_classic_identities_do_not_seal(
    settings: Settings, tmp_path: Path
) -> None:
    path = written(tmp_path / "classic", MINE.file)
    ring = KeyRing(replace(settings, age_identities=[path], age_recipients=[HYBRID.recipient]))
    with pytest.raises(UsageError, match="cannot be mixed"):
        _ = ring.sealing
    assert ring.opening.may_open(MINE.recipient)


# --- new keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("post_quantum", [False, True])
def test_a_key_that_was_made_is_used_at_once(settings: Settings, tmp_path: Path, post_quantum: bool) -> None:
    age, aes = str(tmp_path / "age"), str(tmp_path / "aes")
    recipient = make_key(age, EncryptionMethod.AGE, post_quantum=post_quantum)
    assert recipient is not None
    S3duct(replace(settings, age_recipients=[recipient])).put("age", io.BytesIO(DATA), OPTIONS)
    restored = io.BytesIO()
    S3duct(replace(settings, age_identities=[age])).get("age", restored)
    assert restored.getvalue() == DATA
    assert make_key(aes, EncryptionMethod.AES_256_GCM) is None
    there_and_back(S3duct(replace(settings, key=f"file:{aes}", prefix="aes")))
