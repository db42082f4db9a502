"""Hypothesis strategies that damage valid input: its bytes, its lines, its JSON."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz.model import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.fuzz.model import Target

_BYTES = [
    b"",
    b"\0",
    b"\n",
    b" ",
    b'"',
    b"\\",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xc3\x28",
    b"\xef\xbb\xbf",
    b"-1",
    b"1e999",
]
# JSON values, and what is none, as text: `json.dumps` would not write most of them.
_NUMBERS = [
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + "0" * 5000, "-" + "9" * 5000, "0", "-0", "-1", "1", "2", "1.0",
    "1e0", "01", "0x1", ".5", "2147483648", "9223372036854775808", "1" + "0" * 400,
]  # fmt: skip
_TEXTS = [
    '""', '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\u202e"', '"\t"', '"\\x"', '"', "'a'", '"../x"', '"age"',
    '"aes-256-gcm"', f'"{"x" * 5000}"', f'"{"0" * 64}"', f'"{"F" * 64}"', f'"{"g" * 64}"', f'"{" " * 64}"', f'"{"0" * 63}"',
]  # fmt: skip
_OTHERS = [
    "", "true", "false", "null", "[]", "{}", '{"":0}', "[[]]", '{"a":0,"a":1}', "[" * 100_000, "[" * 100_000 + "]" * 100_000,
    '{"a":' * 100_000,
]  # fmt: skip
_INSERTS = [
    "/..",
    "/../",
    "/.",
    "//",
    "/.manifest.json",
    "\0",
    "\u202e",
    "\ud800",
    "\u2028",
    "A",
    "0",
    " ",
    "",
]
_ANY = st.sampled_from([*_NUMBERS, *_TEXTS, *_OTHERS])


def damaged(target: Target) -> st.SearchStrategy[bytes]:
    """Damage the seeds of `target` in the way that fits them."""
    if target.shape is Shape.JSON:
        return damaged_json(target.seeds())
    if target.shape is Shape.LINES:
        return damaged_lines(target.seeds(), target.tokens)
    return damaged_bytes(target.seeds(), target.tokens)


@st.composite
def damaged_bytes(draw: st.DrawFn, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """Flip, insert, cut, repeat, splice."""
    content = bytearray(draw(st.sampled_from(seeds)))
    pieces = st.one_of(st.sampled_from(tokens or _BYTES), st.sampled_from(_BYTES), st.binary(max_size=4))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(content)) | st.sampled_from([0, len(content)]))
        stop = min(len(content), start + draw(st.sampled_from([0, 1, 1, 2, 4, 16, 10_000])))
        match draw(st.sampled_from(["flip", "replace", "insert", "repeat", "splice"])):
            case "flip":
                if start < len(content):
                    content[start] ^= 1 << draw(st.integers(0, 7))
            case "replace":
                content[start:stop] = draw(pieces)
            case "insert":
                content[start:start] = draw(pieces)
            case "repeat":
                content[start:start] = content[start:stop][:100] * draw(st.sampled_from([1, 2, 30]))
            case _:
                other = draw(st.sampled_from(seeds))
                content[start:stop] = other[draw(st.integers(0, len(other))) :]
    return bytes(content)


@st.composite
def damaged_lines(draw: st.DrawFn, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """Drop, repeat, exchange and alter lines and the words in them."""
    lines = draw(st.sampled_from(seeds)).split(b"\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "repeat", "exchange", "foreign", "words", "bytes"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "repeat":
                lines[at:at] = [lines[at]] * draw(st.sampled_from([1, 2, 40]))
            case "exchange":
                to = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[to] = lines[to], lines[at]
            case "foreign":
                lines.insert(at, draw(st.sampled_from(draw(st.sampled_from(seeds)).split(b"\n"))))
            case "words":
                words = lines[at].split(b" ")
                word = draw(st.integers(0, len(words) - 1))
                words[word : word + draw(st.integers(0, 1))] = draw(
                    st.lists(st.sampled_from([*tokens, b"", *words]), max_size=3)
                )
                lines[at] = b" ".join(words)
            case _:
                lines[at] = draw(damaged_bytes([lines[at]], tokens))
    return b"\n".join(lines)


# --- JSON ------------------------------------------------------------------------------------------------------------


class _Object(list[Any]):
    """An object as its pairs: so a key can stand in it twice."""


class _Text(str):
    """A value as it is to be written."""

    __slots__ = ()


@st.composite
def damaged_json(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Drop, repeat, rename, exchange and replace fields and elements, in one document or one a line."""
    documents = _documents(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        places = _places(documents)
        if not places:
            break
        container, at = draw(st.sampled_from(places))
        to, other = draw(st.sampled_from(places))
        match draw(
            st.sampled_from(
                [
                    "drop",
                    "repeat",
                    "hostile",
                    "hostile",
                    "edit",
                    "edit",
                    "edit",
                    "edit",
                    "exchange",
                    "rename",
                    "nest",
                ]
            )
        ):
            case "drop":
                del container[at]
            case "repeat":
                container.insert(at, copy.deepcopy(container[at]))
            case "hostile":
                _put(container, at, _Text(draw(_hostile(_value(container, at)))))
            case "edit":
                _put(container, at, draw(st.sampled_from(_near(_value(container, at)))))
            case "exchange":
                _put(container, at, copy.deepcopy(_value(to, other)))
            case "rename" if isinstance(container, _Object):
                name = to[other][0] if isinstance(to, _Object) else draw(st.text(max_size=3))
                container[at] = (name, container[at][1])
            case _:
                inner = _value(container, at)
                _put(container, at, _Object([("a", inner)]) if draw(st.booleans()) else [inner])
    return _encoded(documents)


def _hostile(value: Any) -> st.SearchStrategy[str]:
    """Half of them of the same kind: what is of another one is soon refused."""
    if isinstance(value, int):
        return _ANY | st.sampled_from(_NUMBERS)
    return _ANY | st.sampled_from(_TEXTS) if isinstance(value, str) else _ANY


def _near(value: Any) -> list[Any]:
    """Values that are nearly the same."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value - 1, value + 1, -value, 0, 2 * value]
    if isinstance(value, str) and not isinstance(value, _Text):
        ends = {
            0,
            len(value) // 2,
            len(value),
            *(at for at, character in enumerate(value) if character == "/"),
        }
        return [
            value[:at] + insert + value[at + dropped :]
            for at in sorted(ends)
            for insert in _INSERTS
            for dropped in (0, 1)
        ]
    return [value]


def every_single_change(seed: bytes) -> Iterator[bytes]:
    """Yield `seed` with one field or element dropped, repeated, or replaced by each hostile, near and twin value."""
    for number in range(len(_places(_documents(seed)))):
        documents = _documents(seed)
        container, at = _places(documents)[number]
        held = container[at]
        near, hostile = _near(_value(container, at)), [*_NUMBERS, *_TEXTS, *_OTHERS]
        twins = [
            twin[other][1] for twin, other in _places(documents) if _are_twins(container, at, twin, other)
        ]
        for value in [*near, *twins, *map(_Text, hostile)]:
            _put(container, at, value)
            yield _encoded(documents)
        container[at] = held
        container.insert(at, held)
        yield _encoded(documents)
        del container[at : at + 2]
        yield _encoded(documents)


def _are_twins(container: list[Any], at: int, twin: list[Any], other: int) -> bool:
    """Whether these are fields of one name in two objects."""
    both = isinstance(container, _Object) and isinstance(twin, _Object) and twin is not container
    return both and bool(container[at][0] == twin[other][0])


def _documents(seed: bytes) -> list[Any]:
    """One document, or one a line; what is none stays as it is."""
    try:
        return [json.loads(seed, object_pairs_hook=_Object)]
    except ValueError:
        pass
    documents: list[Any] = []
    for line in seed.decode().split("\n"):
        try:
            documents.append(json.loads(line, object_pairs_hook=_Object))
        except ValueError:
            documents.append(_Text(line))
    return documents


def _places(documents: list[Any]) -> list[tuple[list[Any], int]]:
    """Every place in them: the list or object, and the position in it."""
    places: list[tuple[list[Any], int]] = []
    left = [documents]
    while left:
        container = left.pop()
        for at in range(len(container)):
            places.append((container, at))
            inner = _value(container, at)
            if isinstance(inner, list):
                left.append(inner)
    return places


def _value(container: list[Any], at: int) -> Any:
    return container[at][1] if isinstance(container, _Object) else container[at]


def _put(container: list[Any], at: int, value: Any) -> None:
    container[at] = (container[at][0], value) if isinstance(container, _Object) else value


def _encoded(documents: list[Any]) -> bytes:
    return "\n".join(map(_written, documents)).encode("utf-8", "surrogatepass")


def _written(value: Any) -> str:
    if isinstance(value, _Text):
        return value
    if isinstance(value, _Object):
        return "{" + ",".join(f"{json.dumps(key)}:{_written(inner)}" for key, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value)
