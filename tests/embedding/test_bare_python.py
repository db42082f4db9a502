"""The core works in an environment that holds nothing but Python and `s3duct.domain`."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import subprocess
import textwrap
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENDORS = ["botocore", "cryptography", "cyclopts", "dependency_injector", "obstore", "platformdirs", "rich"]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a virtual environment without pip, with the core alone in its site-packages."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(folder, with_pip=False)
    (site_packages,) = (folder / "lib").glob("python*/site-packages")
    shutil.copytree(
        ROOT / "domain", site_packages / "s3duct" / "domain", ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder / "bin" / "python"


def output_of(python: Path, program: str, *arguments: str) -> str:
    """Run a program with no environment and return what it prints; warnings are errors."""
    done = subprocess.run(
        [python, "-I", "-W", "error", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=python.parent,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_environment_is_bare(bare: Path) -> None:
    program = "import importlib.util as u, sys; print([name for name in sys.argv[1:] if u.find_spec(name)])"
    assert output_of(bare, program, *VENDORS, "pip", "setuptools").strip() == "[]"


def test_every_module_of_the_core_imports(bare: Path) -> None:
    program = """
        import importlib, pkgutil
        import s3duct.domain as domain
        names = sorted(module.name for module in pkgutil.walk_packages(domain.__path__, "s3duct.domain."))
        for name in names:
            importlib.import_module(name)
        print(*names)
        """
    imported = output_of(bare, program).split()
    on_disk = {
        "s3duct." + path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in (ROOT / "domain").rglob("*.py")
    }
    assert set(imported) == {name.removesuffix(".__init__") for name in on_disk} - {"s3duct.domain"}


def test_it_needs_nothing_of_the_operating_system(bare: Path) -> None:
    """What it imports beyond what bare Python has loaded anyway is pure."""
    program = """
        import sys
        before = set(sys.modules)
        import s3duct.domain.manifest_codec, s3duct.domain.journal_codec, s3duct.domain.backpressure, s3duct.domain.retry
        print(*set(sys.modules) - before)
        """
    loaded = set(output_of(bare, program).split())
    assert not loaded & {
        "socket",
        "ssl",
        "subprocess",
        "threading",
        "asyncio",
        "tempfile",
        "random",
        "logging",
        "mmap",
    }


def test_a_small_program_computes_with_it(bare: Path) -> None:
    """Chain, manifest there and back, and what to do next after a crash."""
    program = """
        from s3duct.domain.chain import ChainLink, chain_over
        from s3duct.domain.chunk import ChunkRecord, chunk_key
        from s3duct.domain.digest import dual_digest
        from s3duct.domain.manifest import Manifest
        from s3duct.domain.manifest_codec import decode_manifest, encode_manifest
        from s3duct.domain.resume import ResumePlan, ResumeRecord, Verdict

        chunks = [b"one", b"two", b"3"]
        digests = [dual_digest(chunk) for chunk in chunks]
        records = tuple(
            ChunkRecord(index, chunk_key("numbers", index), len(chunk), digest, etag="")
            for index, (chunk, digest) in enumerate(zip(chunks, digests, strict=True))
        )
        manifest = Manifest(
            name="numbers", chunk_size_bytes=3, total_bytes=7, chunks=records,
            final_chain=chain_over(digests).hex(), created="2026-01-01T00:00:00+00:00", tool_version="0",
        )
        again = decode_manifest(encode_manifest(manifest), name="numbers")
        assert again == manifest
        again.verify_chain()

        link = ChainLink().extend(digests[0])
        plan = ResumePlan([ResumeRecord(records[0], link, stored_at="2026-01-01T00:00:00+00:00")])
        first = plan.judge(0, size_bytes=3, digest=digests[0], link=link, strict=True)
        second = plan.judge(1, size_bytes=3, digest=digests[1], link=link.extend(digests[1]), strict=True)
        assert (first, second) == (Verdict.STORED, Verdict.UPLOAD)
        print(manifest.final_chain)
        """
    link = b"s3duct-genesis"
    for chunk in (b"one", b"two", b"3"):
        digests = hashlib.sha256(chunk).digest() + hashlib.sha3_256(chunk).digest()
        link = hmac.digest(link, digests, "sha256")
    assert output_of(bare, program).strip() == link.hex()
