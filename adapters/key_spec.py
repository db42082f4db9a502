"""Reads the AES key that `--key` names: `hex:…`, `file:…`, `env:…`. Key material never appears in an error."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from s3duct.domain.errors import KeySpecError

KEY_BYTES = 32
_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")
_FORMS = "use hex: and 64 hex digits, file: and a path, or env: and a variable name"
# A key file holds 32 bytes or 64 hex digits and an end of line; whatever is longer is another kind of file.
_LONGEST_FILE = 66
# Where a name or a path belongs, people give the key itself (`env:$KEY` for `env:KEY`). Names of variables are short or
# have words in them.
_VARIABLE = re.compile(r"(?=.{1,31}\Z|.*_)[A-Za-z_][A-Za-z0-9_]*")
_KEY_TEXT = re.compile(r"[0-9a-fA-F]{64}|AGE-SECRET-KEY-|-----BEGIN |\n", re.IGNORECASE)


def read_key(spec: str, *, environment: Mapping[str, str] | None = None) -> bytes:
    """Return the 32-byte key that `spec` names.

    Args:
        spec: `hex:` and 64 hex digits; `file:` and the path of a file with 32 raw bytes or 64 hex digits; `env:` and
            the name of a variable that holds 64 hex digits.
        environment: where `env:` looks; the process environment if None.

    Raises:
        KeySpecError: anything else. A retry cannot help.
    """
    form, colon, rest = spec.partition(":")
    if form == "hex" and colon:
        return _from_hex(rest, what="the key given as hex:")
    if form == "file" and colon:
        return _from_file(rest)
    if form == "env" and colon:
        return _from_environment(rest, os.environ if environment is None else environment)
    raise KeySpecError("the key is not in a known form", hint=_FORMS)


def _from_hex(text: str, *, what: str) -> bytes:
    if not _HEX_KEY.fullmatch(text):
        raise KeySpecError(f"{what} is not 64 hex digits (it has {len(text)} characters)", hint=_FORMS)
    return bytes.fromhex(text)


def _from_environment(variable: str, environment: Mapping[str, str]) -> bytes:
    try:
        value = environment.get(variable)
    except UnicodeEncodeError:  # no variable of a process is called so
        value = None
    if value is None and (_KEY_TEXT.search(variable) or not _VARIABLE.fullmatch(variable)):
        raise KeySpecError(
            "the environment variable that env: should name is not set",
            hint="give the name, env:VARIABLE, not its value, env:$VARIABLE",
        )
    if value is None:
        raise KeySpecError(f"the environment variable {variable!r} is not set", hint=_FORMS)
    return _from_hex(value.strip(), what=f"the environment variable {variable!r}")


def _from_file(text: str) -> bytes:
    if _KEY_TEXT.search(text) and not os.path.exists(text):  # noqa: PTH110 - Path.exists raises where a name is too long
        raise KeySpecError("what follows file: is no path of a file, but looks like a key", hint=_FORMS)
    try:
        path = Path(text).expanduser()
        with path.open("rb") as file:
            content = file.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise KeySpecError(
            f"cannot read the key file {str(path)!r}: {error.strerror}", hint=_FORMS
        ) from error
    except (ValueError, RuntimeError):  # a NUL in it; a home that nobody has
        raise KeySpecError(f"not a path of a key file: {text!r}", hint=_FORMS) from None
    if len(content) == KEY_BYTES:
        return content
    try:
        digits = content.decode("ascii").strip()
    except UnicodeDecodeError:
        digits = ""
    if len(content) <= _LONGEST_FILE and _HEX_KEY.fullmatch(digits):
        return bytes.fromhex(digits)
    size = f"{len(content)} bytes" if len(content) <= _LONGEST_FILE else f"more than {_LONGEST_FILE} bytes"
    raise KeySpecError(
        f"the key file {str(path)!r} holds {size}, not 32 raw bytes or 64 hex digits",
        hint="s3duct keygen aes FILE makes one",
    )
