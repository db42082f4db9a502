"""Installs age plugins for a test: programs that a client finds on PATH, well-behaved or not."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from s3duct.adapters.age import bech32
from s3duct.adapters.age.header import Stanza, write_stanza

PROGRAM = Path(__file__).with_name("age_plugin_program.py")
DEFAULTS: dict[str, Any] = {
    "kind": "testplug",  # of its stanzas
    "stanzas": 1,  # of each recipient
    "salt_bytes": 16,
    "labels": [],
    "says": [],  # raw text, before the results; an answer is awaited after each
    "ends": "well",  # or "before" or "after" the results, or "never", or "unhurried": well, whatever signals say
    "status": None,  # end at once, with it
}


class InstalledPlugin:
    """A plugin on PATH and a pair of keys of it."""

    def __init__(self, folder: Path, name: str, key: bytes | None = None) -> None:
        self.name = name
        self.key = key or os.urandom(32)
        self.path = folder / f"age-plugin-{name}"
        self.recipient = bech32.encode(f"age1{name}", self.key)
        self.identity = bech32.encode(f"age-plugin-{name}-", self.key).upper()

    def install(self, **settings: Any) -> None:
        """Put it in place, or change its settings."""
        self.path.write_text(f"#!{sys.executable} -ISE\n" + PROGRAM.read_text(encoding="utf-8"))
        self.path.chmod(0o755)
        self.settings(**settings)

    def settings(self, **settings: Any) -> None:
        """Let it behave otherwise from now on."""
        assert settings.keys() <= DEFAULTS.keys()
        Path(f"{self.path}.json").write_text(json.dumps({**DEFAULTS, **settings}))

    def log(self) -> list[dict[str, Any]]:
        """What it has noted so far."""
        log = Path(f"{self.path}.log")
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def runs(self) -> list[dict[str, Any]]:
        """What it noted of each run that got to its second phase."""
        return [entry for entry in self.log() if "machine" in entry]

    def answers(self) -> list[tuple[list[str], str]]:
        """What it was answered: response and body."""
        return [(entry["answer"], entry["body"]) for entry in self.log() if "answer" in entry]


def install_plugin(
    monkeypatch: pytest.MonkeyPatch, folder: Path, name: str = "testplug", **settings: Any
) -> InstalledPlugin:
    """Install a plugin in `folder`, which is put in front of PATH."""
    folder.mkdir(exist_ok=True)
    if str(folder) not in os.environ["PATH"].split(os.pathsep):
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    plugin = InstalledPlugin(folder, name)
    plugin.install(**settings)
    return plugin


def command(kind: str, *arguments: str, body: bytes = b"") -> str:
    """A command as a plugin writes it."""
    return write_stanza(Stanza(kind, arguments, body))
