"""What is measured is the command with its children, and nothing of it is left."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from s3duct.domain.sizes import MIB
from tests.bench.measure import CommandFailed, Usage, run
from tests.support.command import until

ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}
BURN = "import time\nwhile time.process_time() < 0.3: pass"
GROW = f"b = bytearray({200 * MIB}); b[::4096] = b'x' * len(b[::4096])"
IN_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"


def python(program: str, *arguments: str, stdin: Path | None = None) -> Usage:
    return run([sys.executable, "-c", program, *arguments], environment=ENVIRONMENT, stdin=stdin)


def test_the_output_is_counted_and_passed_on(tmp_path: Path) -> None:
    content = os.urandom(3 * MIB + 5)
    source = tmp_path / "source"
    source.write_bytes(content)
    given = bytearray()
    took = run(["/bin/cat"], environment=ENVIRONMENT, stdin=source, on_output=given.extend)
    assert (took.output_bytes, bytes(given)) == (len(content), content)


@pytest.mark.parametrize("arguments", [(BURN,), (IN_A_CHILD, BURN)], ids=["itself", "its child"])
def test_processor_time_is_that_of_the_process_and_its_children(arguments: tuple[str, ...]) -> None:
    took = python(*arguments)
    assert took.cpu_s > 0.29  # it burns 0.3 s of its own clock, however busy the machine is
    assert took.wall_s > 0


@pytest.mark.parametrize("arguments", [(GROW,), (IN_A_CHILD, GROW)], ids=["itself", "its child"])
def test_the_peak_is_that_of_the_largest_process(arguments: tuple[str, ...]) -> None:
    assert 200 * MIB < python(*arguments).peak_rss_bytes < 300 * MIB


def test_the_peak_is_not_that_of_the_process_which_measures() -> None:
    ballast = bytearray(b"x" * (150 * MIB))
    assert python("pass").peak_rss_bytes < 100 * MIB < len(ballast)


def test_a_command_sees_no_other_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3DUCT_BUCKET", "of-the-person-who-runs-it")
    python("import os, sys; sys.exit('S3DUCT_BUCKET' in os.environ)")


@pytest.mark.parametrize(
    "program",
    ["import sys; sys.exit('no room')", "import os; os.kill(os.getpid(), 9)"],
    ids=["exit", "signal"],
)
def test_a_failure_is_told(program: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        python(program)
    assert str(caught.value).startswith(f"{sys.executable} failed")
    assert ("no room" in str(caught.value)) == ("no room" in program)


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(CommandFailed, match="FileNotFoundError"):
        run(["/nowhere/s3duct"], environment=ENVIRONMENT)


def test_nothing_is_left_when_the_measurement_is_given_up(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '100'])\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}')\n"
        "print('running', flush=True)\n"
        "time.sleep(100)\n"
    )

    def give_up(_: memoryview) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([sys.executable, "-c", program, pids], environment=ENVIRONMENT, on_output=give_up)
    until(lambda: all(has_ended(int(pid)) for pid in pids.read_text().split()), "both have ended")


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Killed, but not waited for by whoever adopted it.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def shell(script: str) -> tuple[str, ...]:
    return "/bin/sh", "-c", script


def test_a_pipeline_is_measured_as_a_whole(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"abc")
    given = bytearray()
    burn = (sys.executable, "-c", BURN + "\nimport os\nos.write(1, os.read(0, 9))")
    took = run(
        burn, burn, ["/usr/bin/tr", "a", "b"], environment=ENVIRONMENT, stdin=source, on_output=given.extend
    )
    assert bytes(given) == b"bbc"
    assert took.cpu_s > 0.58
    alone = run(burn, environment=ENVIRONMENT, stdin=source)
    assert took.peak_rss_bytes > 1.8 * alone.peak_rss_bytes


def test_who_only_makes_the_input_is_not_counted() -> None:
    burn = (sys.executable, "-c", "import time\nwhile time.process_time() < 2: pass")
    took = run(burn, ["/bin/cat"], environment=ENVIRONMENT, feeders=1)
    assert took.cpu_s < 1
    assert took.wall_s > 1.9


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_anywhere_in_a_pipeline_is_told(failing: int) -> None:
    pipeline = [shell("cat"), shell("cat")]
    pipeline[failing] = shell("cat; echo no room >&2; exit 3")
    with pytest.raises(CommandFailed, match="no room"):
        run(*pipeline, environment=ENVIRONMENT)


def test_the_first_byte_is_timed_from_the_start() -> None:
    took = run(shell("sleep 0.3; echo first; sleep 0.3; echo last"), environment=ENVIRONMENT)
    assert took.first_byte_s is not None
    assert 0.3 <= took.first_byte_s <= took.wall_s - 0.3
    assert run(["/bin/true"], environment=ENVIRONMENT).first_byte_s is None


HOLD = {
    "named": "open(folder + '/named', 'wb').write(b'x' * size)",
    "without a name": "f = tempfile.TemporaryFile(dir=folder); f.write(b'x' * size); f.flush()",
    "mapped": (
        "f = tempfile.TemporaryFile(dir=folder); os.posix_fallocate(f.fileno(), 0, size);"
        " m = mmap.mmap(f.fileno(), size); f.close()"
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="files without a name are seen in /proc")
@pytest.mark.parametrize("held", HOLD.values(), ids=HOLD.keys())
def test_scratch_files_are_seen_with_and_without_a_name(tmp_path: Path, held: str) -> None:
    program = (
        "import mmap, os, sys, tempfile, time\n"
        f"folder, size = sys.argv[1], {5 * MIB}\n{held}\ntime.sleep(1)\n"
        "if os.path.exists(folder + '/named'): os.unlink(folder + '/named')\n"
    )
    folder = tmp_path / "scratch"
    folder.mkdir()
    command = (sys.executable, "-c", program, folder)
    took = run(command, environment=ENVIRONMENT, scratch=folder)
    assert 5 * MIB <= took.scratch_bytes < 6 * MIB
    assert run(command, environment=ENVIRONMENT, scratch=tmp_path / "other").scratch_bytes == 0
