"""Each contract of import-linter holds, and breaks when an import is planted that it forbids."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("domain", "adapters", "app")


class Plant(NamedTuple):
    """A line added to a module, new if need be, and the contracts that must break for it, and no others."""

    module: str
    line: str
    breaks: frozenset[str]


def plant(module: str, line: str, *breaks: str) -> Plant:
    return Plant(module, line, frozenset(breaks))


PLANTS = [
    plant("domain/planted.py", "import s3duct.adapters.planted", "rooms", "one-wirer"),
    plant("adapters/planted.py", "import s3duct.app", "rooms"),
    plant("utils/helpers.py", "", "rooms"),
    plant("app/utils.py", "", "app-layers"),
    plant("app/pipeline/planted.py", "import s3duct.app.usecases", "app-layers"),
    plant("app/usecases/planted.py", "import s3duct.app.container", "app-layers"),
    plant("app/usecases/planted.py", "import s3duct.app.settings", "app-layers"),
    plant("app/settings.py", "import s3duct.app.usecases", "app-layers"),
    plant("domain/planted.py", "import cryptography", "domain-pure", "home-adapters"),
    plant("domain/planted.py", "import obstore", "domain-pure", "home-obstore"),
    *(
        plant("domain/planted.py", line, "domain-pure")
        for line in (
            "import asyncio",
            "import io",
            "import logging",
            "import mmap",
            "import os.path",
            "import random",
            "import secrets",
            "import shutil",
            "import socket",
            "import subprocess",
            "import sys",
            "import tempfile",
            "import threading",
            "from pathlib import Path",
            "from time import monotonic",
        )
    ),
    plant("adapters/planted.py", "import s3duct.adapters.clock", "adapters-apart"),
    plant("adapters/planted.py", "from s3duct.adapters.object_store import memory", "adapters-apart"),
    plant("app/usecases/planted.py", "import s3duct.adapters.clock", "one-wirer"),
    plant("app/pipeline/planted.py", "import s3duct.adapters.clock", "one-wirer"),
    plant("app/api.py", "import s3duct.adapters.clock", "one-wirer"),
    plant("app/cli/planted.py", "import s3duct.adapters.clock", "one-wirer"),
    plant("app/api.py", "import dependency_injector.providers", "home-dependency-injector"),
    plant("app/usecases/planted.py", "import dependency_injector", "home-dependency-injector"),
    plant("adapters/planted.py", "import obstore.store", "home-obstore"),
    plant("app/container/stores.py", "import obstore", "home-obstore"),
    plant("app/container/stores.py", "import botocore.session", "home-adapters"),
    plant("app/usecases/planted.py", "import cryptography.exceptions", "home-adapters"),
    plant("app/api.py", "import cyclopts", "home-cli"),
    plant("app/usecases/planted.py", "import rich.progress", "home-cli"),
    plant("app/container/stores.py", "import platformdirs", "home-platformdirs"),
    plant("domain/errors.py", "import s3duct.domain.manifest_codec", "no-cycles"),
]


def contract_names() -> dict[str, str]:
    """Return the contracts of pyproject.toml, name -> id."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {
        contract["name"]: contract["id"] for contract in configuration["tool"]["importlinter"]["contracts"]
    }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of the three folders, as the package s3duct, beside a copy of the contracts."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    shutil.copy(ROOT / "pyproject.toml", checkout)
    for room in ROOMS:
        shutil.copytree(ROOT / room, checkout / "s3duct" / room, ignore=shutil.ignore_patterns("__pycache__"))
    return checkout


def broken_contracts(tree: Path) -> set[str]:
    """Run import-linter over the copy and return the ids of the contracts that it calls broken."""
    run = subprocess.run(
        [Path(sys.prefix, "bin", "lint-imports"), "--no-cache", "--no-logo"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    names = contract_names()
    verdicts = dict(re.findall(r"^(.*) (KEPT|BROKEN)\b.*$", run.stdout, flags=re.MULTILINE))
    assert verdicts.keys() == names.keys(), run.stdout + run.stderr
    broken = {names[name] for name, verdict in verdicts.items() if verdict == "BROKEN"}
    assert run.returncode == (1 if broken else 0), run.stdout + run.stderr
    return broken


def put(tree: Path, module: str, line: str) -> None:
    path = tree / "s3duct" / module
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as source:
        source.write(f"\n{line}\n")


def test_the_tree_keeps_every_contract(tree: Path) -> None:
    assert broken_contracts(tree) == set()


@pytest.mark.parametrize(
    "planted", PLANTS, ids=lambda planted: f"{planted.module}: {planted.line or 'exists'}"
)
def test_a_planted_import_breaks_its_contract(tree: Path, planted: Plant) -> None:
    put(tree, planted.module, planted.line)
    assert broken_contracts(tree) == planted.breaks


def test_every_contract_is_seen_to_break() -> None:
    seen = frozenset[str]().union(*(planted.breaks for planted in PLANTS))
    assert seen == set(contract_names().values())
