"""What is built holds every module, and the core of it needs nothing but Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("domain", "adapters", "app")
NOT_SOURCE = shutil.ignore_patterns(
    ".git",
    ".venv*",
    ".oracles",
    "__pycache__",
    "build",
    "dist",
    "*.egg-info",
    ".*_cache",
    ".hypothesis",
    "*.so",
)
EXTENSION = "s3duct/adapters/native/_hashing.abi3.so"


class Built(NamedTuple):
    wheel: Path
    sdist: Path


def has_compiler() -> bool:
    """Whether this machine can compile an extension of this Python."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    return bool(shutil.which(compiler)) and Path(sysconfig.get_path("include"), "Python.h").exists()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build an sdist, and the wheel from the sdist, out of a copy of the checkout."""
    return build(tmp_path_factory.mktemp("build") / "checkout")


def build(checkout: Path, *options: str, environment: Mapping[str, str] | None = None) -> Built:
    shutil.copytree(ROOT, checkout, symlinks=True, ignore=NOT_SOURCE)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", checkout / "dist", *options],
        cwd=checkout,
        env=os.environ | (environment or {}),
        check=True,
        capture_output=True,
    )
    (wheel,) = (checkout / "dist").glob("*.whl")
    (sdist,) = (checkout / "dist").glob("*.tar.gz")
    return Built(wheel, sdist)


def modules_on_disk() -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.suffix in {".py", ".pyi"} or path.name == "py.typed"
    }


def test_the_wheel_holds_every_module_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    compiled = {EXTENSION} if has_compiler() else set()
    assert shipped == {f"s3duct/{path}" for path in modules_on_disk()} | compiled
    assert {f"s3duct/{room}/py.typed" for room in ROOMS} <= shipped


@pytest.mark.parametrize("compiler", ["false", "/nowhere/cc"], ids=["one that fails", "none"])
def test_without_a_compiler_the_wheel_is_the_same_without_the_extension(
    built: Built, tmp_path: Path, compiler: str
) -> None:
    without = build(tmp_path / "checkout", environment={"CC": compiler, "LDSHARED": compiler})
    with zipfile.ZipFile(built.wheel) as wheel, zipfile.ZipFile(without.wheel) as poorer:
        assert set(wheel.namelist()) - {EXTENSION} == set(poorer.namelist())
        poorer.extractall(tmp_path / "wheel")
    assert hasher_of(tmp_path / "wheel") == "HashlibHasher SHA-256: hashlib; SHA3-256: hashlib"


@pytest.mark.skipif(not has_compiler(), reason="there is no compiler")
def test_with_a_compiler_the_wheel_hashes_with_the_extension(built: Built, tmp_path: Path) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        wheel.extractall(tmp_path)
    name, _, description = hasher_of(tmp_path).partition(" ")
    assert name == "NativeHasher"
    if "avx2" in Path("/proc/cpuinfo").read_text().split():
        assert "SHA3-256: native AVX" in description


def hasher_of(wheel: Path) -> str:
    program = (
        f"import sys; sys.path.insert(0, {str(wheel)!r}); "
        "from s3duct.app.container.hashers import make_hasher; made = make_hasher(native=True); "
        "print(type(made).__name__, made.description)"
    )
    said = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True)
    return said.stdout.strip()


def test_one_binary_serves_every_version_of_python(built: Built) -> None:
    name, version, python, abi, _ = built.wheel.stem.split("-")
    assert (name, python, abi) == ("s3duct", "cp311", "abi3"), version


def test_the_wheel_names_its_command_and_licence(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        information = {name.partition(".dist-info/")[2]: name for name in wheel.namelist()}
        assert wheel.read(information["entry_points.txt"]).split() == [
            b"[console_scripts]",
            b"s3duct",
            b"=",
            b"s3duct.app.cli:main",
        ]
        metadata = wheel.read(information["METADATA"]).decode()
    assert "licenses/LICENSE" in information
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata


def test_the_sdist_holds_what_is_needed_to_test_it(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    here = Path(__file__).relative_to(ROOT).as_posix()
    assert modules_on_disk() <= held
    assert {here, "tests/conftest.py", "Makefile", "LICENSE", "pyproject.toml", "setup.py"} <= held
    assert not [name for name in held if name.startswith((".typing", ".venv", ".oracles"))]
    assert {"ADR", "examples"} <= held
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "adapters/native").glob("*.[ch]")} <= held
    assert not [name for name in held if name.endswith(".so")]


def test_the_domain_imports_on_bare_python(built: Built, tmp_path: Path) -> None:
    """A wheel without its dependencies is enough for tools that embed the core."""
    with zipfile.ZipFile(built.wheel) as wheel:
        wheel.extractall(tmp_path)
    modules = [
        "s3duct." + path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in sorted(modules_on_disk())
        if path.startswith("domain/") and path.endswith(".py")
    ]
    assert "s3duct.domain.ports.object_store" in modules
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {', '.join(modules)}"
    # -I -S: no environment, no site-packages, so nothing but the standard library and what is unpacked here.
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True, cwd=tmp_path)


def test_the_installed_command_knows_its_version(built: Built, tmp_path: Path) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        wheel.extractall(tmp_path)
    version = built.wheel.name.split("-")[1]
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
        "from importlib.metadata import version; print(version('s3duct'))"
    )
    said = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == version
