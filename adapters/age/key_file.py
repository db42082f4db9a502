"""Reads a small file of keys or recipients into memory, and cuts it into lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from s3duct.domain.errors import KeySpecError

# Some hundreds of post-quantum recipients; whatever is larger is another kind of file.
MAX_FILE_BYTES = 1024 * 1024
# What stands in key files and in no path: somebody gave the content ("$(cat FILE)"), which no message may repeat.
_KEY_TEXT = re.compile(r"AGE-SECRET-KEY-|\AAGE-PLUGIN-|-----BEGIN |\n", re.IGNORECASE)


def read_key_file(path: str, *, what: str) -> bytes:
    """Return the content of a file.

    Args:
        path: `~` stands for the home directory.
        what: how to call it in errors: "the age identity file".

    Raises:
        KeySpecError: it cannot be read, is too large, or is named by no path.
    """
    if not path:
        raise KeySpecError(
            f"the path of {what} is empty", hint="is it taken from a variable that is not set?"
        )
    if _KEY_TEXT.search(path):
        raise KeySpecError(
            f"{what} is to be named by its path, and a key was given",
            hint="write the key into a file of mode 0600",
        )
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeySpecError(f"cannot read {what} {path!r}: {error.strerror}") from error
    except (ValueError, RuntimeError):  # a NUL in it; a home that nobody has
        raise KeySpecError(f"not a path of {what}: {path!r}") from None
    if len(content) > MAX_FILE_BYTES:
        raise KeySpecError(f"{what} {path!r} has more than {MAX_FILE_BYTES} bytes")
    return content


def lines_of(content: bytes, *, what: str) -> Iterator[tuple[str, str]]:
    """Yield where each line is (for errors) and the line itself, without comments and blank lines.

    Raises:
        KeySpecError: the file is not UTF-8 text.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise KeySpecError(f"{what} is not text") from None
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield f"{what}, line {number}", stripped
