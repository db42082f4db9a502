"""Fuzzes one target, led by coverage, until libFuzzer's options say stop: `python -m tests.fuzz.child TARGET CORPUS …`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris

# What is to be explored is instrumented while it is imported: the parsers, and not what tests them.
with atheris.instrument_imports(include=["s3duct"]):
    from tests.fuzz.targets import TARGETS
with atheris.instrument_imports(include=["tests"]):
    from tests.fuzz.planted import PLANTED


_LONGEST_WORD = 60  # libFuzzer takes a few bytes more


def main() -> None:
    """Write the seeds to the corpus and begin."""
    name, corpus, *options = sys.argv[1:]
    target = {**TARGETS, PLANTED.name: PLANTED}[name]
    for seed in (*target.seeds(), *target.tokens):
        (Path(corpus) / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    if target.tokens:
        dictionary = Path(corpus).with_suffix(".dict")
        dictionary.write_text("".join(map(_dictionary_line, target.tokens)), encoding="ascii")
        options.append(f"-dict={dictionary}")

    def one(data: bytes) -> None:
        target.accepts(data)

    atheris.Setup([sys.argv[0], corpus, f"-max_len={target.longest}", *options], one)
    atheris.Fuzz()


def _dictionary_line(token: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in token[:_LONGEST_WORD]) + '"\n'


if __name__ == "__main__":
    main()
