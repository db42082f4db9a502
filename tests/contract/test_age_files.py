"""Files of identities and recipients: what may stand in them, what is refused, and that no secret is ever repeated."""

from __future__ import annotations

import random
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3duct.adapters.age.header import Stanza
from s3duct.adapters.age.identities import parse_identities, parse_identity, read_identities
from s3duct.adapters.age.key_file import MAX_FILE_BYTES, lines_of, read_key_file
from s3duct.adapters.age.keygen import new_identity
from s3duct.adapters.age.primitives import encode_base64
from s3duct.adapters.age.recipients import parse_recipient, parse_recipients, read_recipients
from s3duct.adapters.age.scrypt import MAX_WORK_FACTOR, Passphrase, open_with_passphrase
from s3duct.domain.errors import CiphertextDamaged, ExitCode, KeySpecError, S3ductError, WrongKey
from tests.support.age_keys import KINDS, NOW, key_pair, protected
from tests.support.age_plugin import InstalledPlugin

X25519, HYBRID = key_pair("x25519"), key_pair("hybrid")
ABSENT = InstalledPlugin(Path("nowhere"), "absent")
SECRET = X25519.file.decode().splitlines()[-1]


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)) + str(getattr(error, "hint", ""))


# --- identity files ------------------------------------------------------------------------------------------------


def test_several_identities_comments_and_blank_lines() -> None:
    content = (
        b"\xef\xbb\xbf# mine\n\n"
        + X25519.file
        + b"\r\n  \n\t# \xc3\xa4lter\n"
        + HYBRID.file.replace(b"\n", b"\r\n")
    )
    identities = parse_identities(content)
    assert [identity.recipient.text for identity in identities] == [X25519.recipient, HYBRID.recipient]


def of_its_length(text: bytes | str) -> str:
    """Keys differ from run to run; names of tests must not."""
    return str(len(text))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_every_kind_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "identity"
    path.write_bytes(key_pair(kind).file)
    (identity,) = read_identities(str(path))
    assert identity.recipient.text == key_pair(kind).recipient


def test_home_is_where_a_tilde_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key.txt").write_bytes(X25519.file)
    assert read_identities("~/key.txt")[0].recipient.text == X25519.recipient


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no identity"),
        (b"# only a comment\n", "holds no identity"),
        (SECRET[:-1].encode(), "line 1 is not usable: the checksum"),
        (SECRET.lower().encode(), "line 1 is not an age identity"),
        (b"\n" + X25519.recipient.encode(), "line 2 is a recipient, not an identity"),
        (key_pair("ssh-ed25519").recipient.encode(), "line 1 is a recipient, not an identity"),
        (b"AGE-PLUGIN-YUBIKEY-1QQQ", "line 1 is not usable: a key or recipient is too short"),
        (ABSENT.identity.encode(), "line 1 is not usable: it needs the age plugin age-plugin-absent, which is not on PATH"),
        (ABSENT.identity.lower().encode(), "line 1 is not an age identity"),
        (b"\xff\xfe", "is not text"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "not an SSH private key"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not an SSH private key"),
    ],
    ids=of_its_length,
)  # fmt: skip
def test_identity_files_that_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(KeySpecError, match=message) as caught:
        parse_identities(content)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "\n" not in caught.value.message + caught.value.hint


def test_no_error_repeats_a_secret() -> None:
    wrong = [
        SECRET[:-1],
        SECRET + "Q",
        SECRET.lower(),
        SECRET.title(),
        "x" + SECRET,
        SECRET + " # mine",
        SECRET + "ä",
    ]
    for text in wrong:
        for parse in (parse_identity, parse_recipient):
            with pytest.raises(KeySpecError) as caught:
                parse(text)
            assert SECRET[16:40].lower() not in told(caught.value).lower()
    with pytest.raises(KeySpecError, match="is an identity, not a recipient") as caught:
        parse_recipient(SECRET)
    assert SECRET not in told(caught.value)


# --- under a passphrase --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_protected_file_opens_with_its_passphrase(kind: str) -> None:
    asked = []

    def ask(what: str) -> str:
        asked.append(what)
        return "sesam öffne dich"

    sealed = protected(key_pair(kind).file, "sesam öffne dich")
    (identity,) = parse_identities(sealed, passphrase=ask)
    assert identity.recipient.text == key_pair(kind).recipient
    assert asked == ["the age identity file"]
    assert open_with_passphrase(sealed, "sesam öffne dich") == key_pair(kind).file


def test_the_passphrase_is_asked_for_by_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "key.age"
    path.write_bytes(protected(X25519.file, "right"))
    asked: list[str] = []

    def ask(what: str) -> str:
        asked.append(what)
        return "right"

    read_identities(str(path), passphrase=ask)
    assert asked == [f"the age identity file {str(path)!r}"]


def test_another_passphrase_is_told_from_a_damaged_file() -> None:
    sealed = protected(X25519.file, "right")
    with pytest.raises(WrongKey, match="the passphrase does not open the age identity file"):
        parse_identities(sealed, passphrase=lambda _: "wrong")
    with pytest.raises(KeySpecError, match="cannot be opened: the age payload is"):
        parse_identities(sealed[:-1], passphrase=lambda _: "right")
    with pytest.raises(KeySpecError, match="is protected by a passphrase, and none was given"):
        parse_identities(sealed)
    with pytest.raises(KeySpecError, match="protected twice"):
        parse_identities(protected(sealed, "right"), passphrase=lambda _: "right")


def test_no_passphrase_is_asked_for_where_there_is_none() -> None:
    def ask(what: str) -> str:
        raise AssertionError(f"asked for {what}")

    assert len(parse_identities(X25519.file, passphrase=ask)) == 1


@pytest.mark.parametrize(
    "factor", ["0", "01", "+2", "-2", "2.0", "0x2", "", "21", "99", "999999999999", "\uff12"]
)
def test_a_work_factor_out_of_bounds_costs_nothing(factor: str) -> None:
    stanza = Stanza("scrypt", (encode_base64(bytes(16)), factor), bytes(32))
    with pytest.raises(CiphertextDamaged):
        Passphrase("x").unwrap(stanza)


def test_the_largest_work_factor_is_more_than_age_writes() -> None:
    assert 18 < MAX_WORK_FACTOR <= 22


# --- recipients ----------------------------------------------------------------------------------------------------


def test_a_recipients_file_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "recipients"
    texts = [key_pair(kind).recipient for kind in KINDS]
    path.write_text("# all of us\n\n" + "\r\n".join(f" {text} " for text in texts), encoding="utf-8")
    assert [recipient.text for recipient in read_recipients(str(path))] == texts
    assert [recipient.post_quantum for recipient in read_recipients(str(path))] == [False, True, False, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no recipient"),
        (X25519.recipient + "\nage1qqqq", "line 2 is not usable"),
        (X25519.recipient.upper(), "of an unknown kind"),
        ("age1yubikey1qqqqqqqqqq", "line 1 is not usable: the checksum"),
        (
            ABSENT.recipient,
            "line 1 is not usable: it needs the age plugin age-plugin-absent, which is not on PATH",
        ),
        (ABSENT.recipient.upper(), "of an unknown kind"),
        ("ssh-dss AAAA", "SSH key of another kind"),
        ("ssh-ed25519", "recipient of kind ssh-ed25519 is malformed"),
        ("ssh-rsa AAAA me", "recipient of kind ssh-rsa is malformed"),
        ("me@example.org", "not usable"),
    ],
    ids=of_its_length,
)
def test_recipients_that_are_refused(content: str, message: str) -> None:
    with pytest.raises(KeySpecError, match=message) as caught:
        parse_recipients(content.encode())
    assert "\n" not in caught.value.message + caught.value.hint


# --- files ---------------------------------------------------------------------------------------------------------


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(MAX_FILE_BYTES + 1))
    for path in (tmp_path, tmp_path / "missing", tmp_path / "large", "nul\0", "~nobody-of-that-name/key"):
        for read in (read_identities, read_recipients):
            with pytest.raises(KeySpecError):
                read(str(path))
    (tmp_path / "large").write_bytes(bytes(MAX_FILE_BYTES))
    assert len(read_key_file(str(tmp_path / "large"), what="it")) == MAX_FILE_BYTES


@given(content=st.binary(max_size=300))
def test_lines_are_never_blank_or_comments(content: bytes) -> None:
    with suppress(KeySpecError):
        for where, line in lines_of(content, what="it"):
            assert where.startswith("it, line ")
            assert line == line.strip()
            assert line[0] != "#"


FILES = [*(key_pair(kind).file for kind in KINDS), protected(X25519.file, "pass"), X25519.recipient.encode(),
         HYBRID.recipient.encode(), key_pair("ssh-rsa").recipient.encode()]  # fmt: skip


@given(content=st.binary(max_size=200), seed=st.integers())
def test_no_bytes_break_the_parsers(content: bytes, seed: int) -> None:
    draw = random.Random(seed)
    damaged = bytearray(draw.choice(FILES))
    for _ in range(draw.randint(0, 4)):
        at = draw.randrange(len(damaged))
        damaged[at : at + draw.randint(0, 3)] = draw.randbytes(draw.randint(0, 3))
    for candidate in (content, bytes(damaged)):
        with suppress(S3ductError):
            parse_identities(candidate, passphrase=lambda _: "pass")
        with suppress(S3ductError):
            parse_recipients(candidate)


# --- new identities ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("post_quantum", [False, True])
def test_a_new_identity_is_a_file_as_age_keygen_writes_it(post_quantum: bool) -> None:
    made = new_identity(post_quantum=post_quantum, created=NOW)
    created, public, key, end = made.file_text.split("\n")
    assert created == "# created: 2026-11-24T20:30:00+00:00"
    assert public == f"# public key: {made.recipient}"
    assert key.startswith("AGE-SECRET-KEY-PQ-1" if post_quantum else "AGE-SECRET-KEY-1")
    assert end == ""
    (identity,) = parse_identities(made.file_text.encode())
    assert identity.recipient.text == made.recipient
    assert made.recipient.startswith("age1pq1" if post_quantum else "age1")
    assert key not in repr(made)
    assert made != new_identity(post_quantum=post_quantum, created=NOW)
