"""No port without a contract suite, no fake that passes none."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "tests" / "contract"
PORTS = sorted(path.stem for path in (ROOT / "domain" / "ports").glob("*.py") if path.stem != "__init__")
FAKES = sorted(path.stem for path in (ROOT / "tests" / "fakes").glob("*.py") if path.stem != "__init__")
# Tools of fakes, not fakes of a port.
NO_FAKES_OF_A_PORT = {"hooks", "scripted_s3"}


def imported_by(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module is not None
    }


def names_of_tests(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def test_there_are_ports() -> None:
    assert {"object_store", "cipher", "journal"} <= set(PORTS)


@pytest.mark.parametrize("port", PORTS)
def test_every_port_has_a_contract_suite(port: str) -> None:
    suite = CONTRACT / f"test_{port}.py"
    assert suite.exists(), (
        f"write tests/contract/test_{port}.py: one suite over every adapter and fake of the port"
    )
    assert names_of_tests(suite)


@pytest.mark.parametrize("fake", FAKES)
def test_every_fake_is_run_by_a_contract_suite(fake: str) -> None:
    if fake in NO_FAKES_OF_A_PORT:
        return
    users = [path.name for path in CONTRACT.glob("*.py") if f"tests.fakes.{fake}" in imported_by(path)]
    assert users, f"let the port's suite in tests/contract run over tests/fakes/{fake}.py"


def test_every_adapter_is_run_by_a_contract_suite() -> None:
    imported = set().union(*(imported_by(path) for path in CONTRACT.glob("*.py")))
    # Shared by the adapters beside them, or parts of one that its suite reaches through it.
    helpers = {"__init__", "base", "errors", "cgroups", "mounts"}
    adapters = {
        f"s3duct.adapters.{path.relative_to(ROOT / 'adapters').with_suffix('').as_posix().replace('/', '.')}"
        for path in (ROOT / "adapters").rglob("*.py")
        if path.stem not in helpers
    }
    assert adapters - imported == set()
