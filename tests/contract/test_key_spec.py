"""`read_key` takes what `--key` may name, refuses everything else, and never repeats key text."""

from __future__ import annotations

import os
import string
import traceback
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from s3duct.adapters.aesgcm import KEY_BYTES, AesGcmCipher
from s3duct.adapters.key_spec import read_key
from s3duct.domain.errors import ExitCode, KeySpecError

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(200, 232))
HEX = KEY.hex()


def refusal(spec: str, environment: dict[str, str] | None = None) -> KeySpecError:
    with pytest.raises(KeySpecError) as caught:
        read_key(spec, environment={} if environment is None else environment)
    assert caught.value.exit_code is ExitCode.USAGE
    assert not caught.value.retryable
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value


def told(error: BaseException) -> str:
    """Everything that a user, a log or a traceback may show of an error (but not the lines of the source)."""
    chain: list[BaseException] = []
    step: BaseException | None = error
    while step is not None:
        chain.append(step)
        step = step.__cause__ or step.__context__
    return "".join(
        f"{item!r} {getattr(item, 'hint', '')} {''.join(traceback.format_exception_only(item))}"
        for item in chain
    )


# --- accepted ------------------------------------------------------------------------------------------------------


def test_the_key_is_as_long_as_the_cipher_wants() -> None:
    assert len(read_key(f"hex:{HEX}")) == KEY_BYTES
    AesGcmCipher(read_key(f"hex:{HEX}"))


@given(key=st.binary(min_size=32, max_size=32), upper=st.booleans())
def test_hex_in_either_case(key: bytes, upper: bool) -> None:
    text = key.hex().upper() if upper else key.hex()
    assert read_key(f"hex:{text}") == key
    assert read_key("env:A_KEY", environment={"A_KEY": text}) == key


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.binary(min_size=32, max_size=32))
def test_a_file_of_32_raw_bytes(tmp_path: Path, key: bytes) -> None:
    path = tmp_path / "key.bin"
    path.write_bytes(key)
    assert read_key(f"file:{path}") == key


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_of_64_hex_digits(tmp_path: Path, end: str) -> None:
    for text in (HEX, HEX.upper()):
        (tmp_path / "key.hex").write_bytes((text + end).encode())
        assert read_key(f"file:{tmp_path / 'key.hex'}") == KEY


def test_32_bytes_that_happen_to_be_hex_digits_are_raw(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"0123456789abcdef" * 2)
    assert read_key(f"file:{tmp_path / 'key'}") == b"0123456789abcdef" * 2


def test_paths_may_hold_colons_spaces_and_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a: key").write_bytes(KEY)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_key(f"file:{tmp_path / 'a: key'}") == KEY
    assert read_key("file:~/a: key") == KEY
    monkeypatch.chdir(tmp_path)
    assert read_key("file:a: key") == KEY


def test_a_pipe_can_hold_the_key() -> None:
    # bash: --key file:<(pass show backup)
    read_end, write_end = os.pipe()
    os.write(write_end, HEX.encode() + b"\n")
    os.close(write_end)
    assert read_key(f"file:/dev/fd/{read_end}") == KEY
    os.close(read_end)


def test_the_variable_may_end_in_a_newline() -> None:
    assert read_key("env:K", environment={"K": f" {HEX}\n"}) == KEY


def test_without_an_environment_the_process_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", HEX)
    assert read_key("env:MY_KEY") == KEY
    with pytest.raises(KeySpecError, match="MY_KEY"):
        read_key("env:MY_KEY", environment={})


# --- refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec", ["", ":", HEX, f"HEX:{HEX}", f"hex {HEX}", f" hex:{HEX}", f"base64:{HEX}", "hex", "file", "env"]
)
def test_other_forms_are_refused_with_the_known_ones(spec: str) -> None:
    hint = refusal(spec).hint
    for form in ("hex:", "file:", "env:"):
        assert form in hint


@pytest.mark.parametrize("form", ["env", "file"])
@pytest.mark.parametrize("key", [HEX, HEX.upper(), "AGE-SECRET-KEY-1QQQ", f"# mine\n{HEX[:20]}"])
def test_a_key_in_place_of_its_name_is_not_repeated(form: str, key: str) -> None:
    assert key not in told(refusal(f"{form}:{key}"))


@pytest.mark.parametrize("value", [b64encode(KEY).decode(), "a" * 32, "pass phrase"])
def test_what_cannot_name_a_variable_is_not_repeated(value: str) -> None:
    assert value not in told(refusal(f"env:{value}"))


@pytest.mark.parametrize("name", ["BACKUP_KEY", "k", "A_RATHER_LONG_NAME_FOR_A_KEY_OF_BACKUPS"])
def test_the_name_of_a_variable_that_is_not_set_is_told(name: str) -> None:
    assert repr(name) in refusal(f"env:{name}").message


@pytest.mark.parametrize(
    "digits",
    [
        "",
        HEX[:-1],
        HEX[:-2],
        HEX + "0",
        HEX + "00",
        f" {HEX}",
        f"{HEX}\n",
        f"0x{HEX[2:]}",
        "g" * 64,
        "\N{ARABIC-INDIC DIGIT ZERO}" * 64,
    ],
)
def test_hex_that_is_not_64_digits_is_refused(digits: str) -> None:
    refusal(f"hex:{digits}")


@pytest.mark.parametrize("value", ["", HEX[:-1], HEX + "0", f"hex:{HEX}", HEX[:32] + " " + HEX[32:]])
def test_a_variable_that_holds_no_key_is_refused_by_name(value: str) -> None:
    assert "MY_KEY" in refusal("env:MY_KEY", {"MY_KEY": value}).message


@pytest.mark.parametrize("name", ["", "MISSING", "my key", "A=B"])
def test_a_variable_that_is_not_set_is_refused(name: str) -> None:
    assert "is not set" in refusal(f"env:{name}", {"OTHER": HEX}).message


def test_a_name_that_no_variable_can_have_is_refused() -> None:
    for name in ("\ud800", "a\0b", "A=B"):
        with pytest.raises(KeySpecError, match="is not set"):
            read_key(f"env:{name}")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        KEY[:31],
        KEY + b"\n",
        KEY * 2,
        HEX[:-1].encode(),
        HEX.encode() + b"0",
        HEX.encode() * 2,
        b"\xff" * 64,
    ],
    ids=len,
)
def test_a_file_that_holds_no_key_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key file"
    path.write_bytes(content)
    error = refusal(f"file:{path}")
    assert str(path) in error.message
    assert error.hint


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    refusal("file:/dev/zero")
    (tmp_path / "large").write_bytes(HEX.encode() + b"\n" * 1000)
    refusal(f"file:{tmp_path / 'large'}")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path, tmp_path / "missing" / "below"):
        assert str(path) in refusal(f"file:{path}").message
    for odd in ("", "a\0b", "~no-such-user-here/key", "x" * 5000):
        refusal(f"file:{odd}")


# --- nothing of a key is ever shown --------------------------------------------------------------------------------


NOT_QUITE = st.one_of(
    st.text(alphabet=string.hexdigits, min_size=12, max_size=100),
    st.binary(min_size=12, max_size=64).map(lambda data: data.hex() + "!"),
    st.text(alphabet=string.ascii_letters + string.digits + "+/=-", min_size=12, max_size=90),
)


def refusal_of(spec: str, environment: dict[str, str]) -> str:
    """All that is told when `spec` is refused, or nothing if it is a key."""
    try:
        read_key(spec, environment=environment)
    except KeySpecError as error:
        return told(error)
    return ""


@given(text=NOT_QUITE, form=st.sampled_from(["", "hex:", "HEX:", "base64:", "key:", "hex", "0x"]))
def test_a_key_on_the_command_line_is_never_repeated(text: str, form: str) -> None:
    refused = refusal_of(form + text, {})
    assert refused or form == "hex:"
    assert text[:12] not in refused


@given(text=NOT_QUITE)
def test_a_key_in_a_variable_is_never_repeated(text: str) -> None:
    assert text[:12] not in refusal_of("env:K", {"K": text})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=NOT_QUITE, raw=st.booleans())
def test_a_key_in_a_file_is_never_repeated(tmp_path: Path, text: str, raw: bool) -> None:
    content = text.encode() + (b"\xff\x00" if raw else b"")
    assume(len(content) != KEY_BYTES)
    (tmp_path / "k").write_bytes(content)
    refused = refusal_of(f"file:{tmp_path / 'k'}", {})
    assert text[:12] not in refused
    assert repr(content[:12])[2:-1] not in refused
