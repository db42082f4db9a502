"""What `ports.process` promises, over real programs and the fakes; and what only real programs can show."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s3duct.adapters.child_process.child import Child, Ending
from s3duct.adapters.child_process.consumer import ChildConsumer
from s3duct.adapters.child_process.latch import Latch, wait_for
from s3duct.adapters.child_process.producer import ChildProducer
from s3duct.domain.errors import (
    ConsumerFailed,
    ProducerFailed,
    S3ductError,
    SinkClosed,
    SinkError,
    SourceError,
    UsageError,
)
from s3duct.domain.ports.process import Consumer, Process, Producer
from tests.fakes.process import FakeConsumer, FakeProducer
from tests.support.command import until
from tests.support.processes import is_alive, numbers_in

DATA = bytes(range(256)) * 1000


def shell(script: str) -> ChildProducer:
    return ChildProducer(["sh", "-c", script])


def shell_consumer(script: str) -> ChildConsumer:
    return ChildConsumer(["sh", "-c", script])


@contextlib.contextmanager
def at_work(process: Process) -> Iterator[None]:
    process.start()
    try:
        yield
    finally:
        process.end()


def drain(source: Producer, *, into: bytearray | None = None) -> bytes:
    view, taken = memoryview(bytearray(65_536)), bytearray() if into is None else into
    while size := source.read_into(view):
        taken += view[:size]
    assert source.read_into(view) == 0
    return bytes(taken)


def apart(work: Callable[[], object]) -> Callable[[], S3ductError | None]:
    """Run `work` on a thread; the answer waits for it and returns what it raised."""
    raised: list[S3ductError] = []

    def run() -> None:
        try:
            work()
        except S3ductError as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def outcome() -> S3ductError | None:
        thread.join(30)
        assert not thread.is_alive()
        return raised[0] if raised else None

    return outcome


# --- producers -----------------------------------------------------------------------------------------------------


def producers(tmp_path: Path, status: int, *, hangs: bool = False) -> list[Producer]:
    """Each writes DATA."""
    path = tmp_path / "data"
    path.write_bytes(DATA)
    tail = "exec 1>&-; sleep 600" if hangs else f"exit {status}"
    return [shell(f"cat '{path}'; {tail}"), FakeProducer(DATA, status=status, hangs=hangs)]


@pytest.mark.parametrize("which", [0, 1], ids=["child", "fake"])
def test_a_producer_that_ends_well_gives_all_of_its_output(which: int, tmp_path: Path) -> None:
    producer = producers(tmp_path, 0)[which]
    assert isinstance(producer, Producer)
    with at_work(producer):
        assert drain(producer) == DATA
        assert not producer.end()  # it had ended by itself
    assert not producer.end()


@pytest.mark.parametrize("which", [0, 1], ids=["child", "fake"])
def test_a_producer_that_fails_never_ends_its_output(which: int, tmp_path: Path) -> None:
    producer = producers(tmp_path, 3)[which]
    taken = bytearray()
    with at_work(producer), pytest.raises(ProducerFailed) as caught:
        drain(producer, into=taken)
    assert taken == DATA
    assert caught.value.message == f"the producer {producer.name} exited with status 3"


@pytest.mark.parametrize("which", [0, 1], ids=["child", "fake"])
def test_a_read_that_waits_for_a_producer_returns_when_that_is_ended(which: int, tmp_path: Path) -> None:
    """It has closed its output and goes on: its status decides, so it is waited for."""
    producer = producers(tmp_path, 0, hangs=True)[which]
    producer.start()
    outcome = apart(lambda: drain(producer))
    time.sleep(0.2)
    assert producer.end()
    assert isinstance(outcome(), SourceError)
    with pytest.raises(SourceError):
        producer.read_into(memoryview(bytearray(1)))


@pytest.mark.parametrize("producer", [ChildProducer(["true"]), FakeProducer()], ids=["child", "fake"])
def test_ending_what_was_never_started_does_nothing(producer: Producer) -> None:
    producer.pass_on(signal.SIGTERM)
    producer.kill()
    assert not producer.end()


@pytest.mark.parametrize("make", [ChildProducer, ChildConsumer])
def test_what_was_ended_is_not_started_any_more(make: Callable[[list[str]], Process], tmp_path: Path) -> None:
    """A run that is stopped does not wait for the thread that starts the program."""
    process = make(["touch", str(tmp_path / "ran")])
    process.end()
    with pytest.raises(S3ductError):
        process.start()
    assert not (tmp_path / "ran").exists()


# --- consumers -----------------------------------------------------------------------------------------------------


def consumers(tmp_path: Path, status: int, *, hangs: bool = False) -> list[Consumer]:
    tail = "sleep 600" if hangs else f"exit {status}"
    child = shell_consumer(f"cat > '{tmp_path}/taken'; echo end > '{tmp_path}/end'; {tail}")
    return [child, FakeConsumer(status=status, hangs=hangs)]


def taken_by(consumer: Consumer, tmp_path: Path) -> bytes:
    return consumer.data if isinstance(consumer, FakeConsumer) else (tmp_path / "taken").read_bytes()


def saw_the_end(consumer: Consumer, tmp_path: Path) -> bool:
    return consumer.whole if isinstance(consumer, FakeConsumer) else (tmp_path / "end").exists()


@pytest.mark.parametrize("which", [0, 1], ids=["child", "fake"])
def test_a_consumer_that_ends_well_gets_everything(which: int, tmp_path: Path) -> None:
    consumer = consumers(tmp_path, 0)[which]
    assert isinstance(consumer, Consumer)
    with at_work(consumer):
        for start in range(0, len(DATA), 99_999):
            consumer.write_all(memoryview(DATA)[start : start + 99_999])
        assert not saw_the_end(consumer, tmp_path)
        consumer.finish()
        assert not consumer.end()
    assert taken_by(consumer, tmp_path) == DATA


@pytest.mark.parametrize("which", [0, 1], ids=["child", "fake"])
def test_a_consumer_that_fails_in_the_end_has_failed(which: int, tmp_path: Path) -> None:
    consumer = consumers(tmp_path, 4)[which]
    with at_work(consumer):
        consumer.write_all(memoryview(DATA))
        with pytest.raises(ConsumerFailed) as caught:
            consumer.finish()
    assert caught.value.message == f"the consumer {consumer.name} exited with status 4"
    assert taken_by(consumer, tmp_path) == DATA


@pytest.mark.parametrize("which", [0, 1], ids=["child", "fake"])
def test_a_consumer_that_is_ended_never_sees_an_end_of_its_input(which: int, tmp_path: Path) -> None:
    consumer = consumers(tmp_path, 0)[which]
    consumer.start()
    consumer.write_all(memoryview(DATA))
    assert consumer.end()
    assert not saw_the_end(consumer, tmp_path)
    with pytest.raises(SinkError):
        consumer.write_all(memoryview(b"x"))
    with pytest.raises(SinkError):
        consumer.finish()
    assert not saw_the_end(consumer, tmp_path)


@pytest.mark.parametrize("which", [0, 1], ids=["child", "fake"])
def test_waiting_for_a_consumer_ends_when_that_is_ended(which: int, tmp_path: Path) -> None:
    consumer = consumers(tmp_path, 0, hangs=True)[which]
    consumer.start()
    outcome = apart(consumer.finish)
    time.sleep(0.2)
    assert consumer.end()
    assert isinstance(outcome(), SinkError)


@pytest.mark.parametrize(
    "consumer",
    [shell_consumer("head -c 10 >/dev/null; exit 5"), FakeConsumer(status=5, closes_after=10)],
    ids=["child", "fake"],
)
def test_a_consumer_that_fails_in_the_middle_has_failed(consumer: Consumer) -> None:
    with at_work(consumer), pytest.raises(ConsumerFailed, match="exited with status 5"):
        consumer.write_all(memoryview(DATA))


@pytest.mark.parametrize(
    "consumer",
    [shell_consumer("head -c 10 >/dev/null"), FakeConsumer(closes_after=10)],
    ids=["child", "fake"],
)
def test_a_consumer_that_wants_no_more_has_closed_the_pipe(consumer: Consumer) -> None:
    with at_work(consumer), pytest.raises(SinkClosed):
        consumer.write_all(memoryview(DATA))


# --- what only real programs can show ------------------------------------------------------------------------------


def _not_executable(tmp_path: Path) -> str:
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    return str(tmp_path / "plain")


def _without_interpreter(tmp_path: Path) -> str:
    path = tmp_path / "bad"
    path.write_text("#!/no/such/interpreter\n")
    path.chmod(0o700)
    return str(path)


@pytest.mark.parametrize("make", [ChildProducer, ChildConsumer])
def test_a_program_that_is_not_there_is_known_before_it_is_started(
    make: Callable[[list[str]], Process], tmp_path: Path
) -> None:
    for command in (["no-such-program", "secret"], [_not_executable(tmp_path)], [str(tmp_path)], [], [""]):
        with pytest.raises(UsageError) as caught:
            make(command)
        assert "secret" not in caught.value.message


@pytest.mark.parametrize("make", [ChildProducer, ChildConsumer])
def test_a_program_that_cannot_be_started_is_wrong_usage(
    make: Callable[[list[str]], Process], tmp_path: Path
) -> None:
    for command in ([_without_interpreter(tmp_path)], ["true", "a\0b"]):
        process = make(command)
        with pytest.raises(UsageError, match=f"cannot run {process.name}: "):
            process.start()
        assert not process.end()


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("exit 1", "exited with status 1"),
        ("exit 255", "exited with status 255"),
        ("kill -KILL $$", "was ended by SIGKILL"),
        ("kill -SEGV $$", "was ended by SIGSEGV"),
        ("kill -40 $$", "was ended by signal 40"),
    ],
)
def test_the_message_says_how_it_ended(script: str, how: str) -> None:
    producer = shell(script)
    with at_work(producer), pytest.raises(ProducerFailed) as caught:
        drain(producer)
    assert caught.value.message == f"the producer sh {how}"


def test_a_status_that_is_lost_is_no_success() -> None:
    assert not Ending(None).well
    assert "lost" in str(Ending(None))


@pytest.mark.parametrize("ignores", [signal.SIGTERM, signal.SIGPIPE, None], ids=str)
def test_no_program_outlives_its_end(ignores: signal.Signals | None, tmp_path: Path) -> None:
    """Not one that ignores signals, and nothing that it has started."""
    trap = f"trap '' {ignores.name.removeprefix('SIG')};" if ignores else ""
    producer = shell(
        f"{trap} sleep 600 & echo $$ $! > '{tmp_path}/pids'; while :; do echo x; sleep 0.01; done"
    )
    producer.start()
    until(lambda: len(numbers_in(tmp_path / "pids")) == 2, "it runs")
    assert producer.end()
    assert [pid for pid in numbers_in(tmp_path / "pids") if is_alive(pid)] == []


def test_no_part_of_a_consumer_outlives_its_end_or_sees_the_end_of_its_input(tmp_path: Path) -> None:
    consumer = shell_consumer(f"(cat >/dev/null; echo end > '{tmp_path}/end') | cat; echo $$")
    consumer.start()
    consumer.write_all(memoryview(DATA))
    assert consumer.end()
    time.sleep(0.2)
    assert not (tmp_path / "end").exists()


def test_what_a_program_that_ended_well_left_running_is_its_own_business(tmp_path: Path) -> None:
    producer = shell(f"sleep 600 >/dev/null 2>&1 & echo $! > '{tmp_path}/pids'; echo data")
    with at_work(producer):
        assert drain(producer) == b"data\n"
    (left,) = numbers_in(tmp_path / "pids")
    assert is_alive(left)
    os.kill(left, signal.SIGKILL)


def test_output_that_a_grandchild_still_writes_belongs_to_the_stream() -> None:
    producer = shell("echo a; (sleep 0.5; echo b) & exit 0")
    with at_work(producer):
        assert drain(producer) == b"a\nb\n"


@pytest.mark.timeout(60, func_only=True)
def test_a_grandchild_that_holds_the_pipe_does_not_hide_a_failure(tmp_path: Path) -> None:
    producer = shell(f"echo a; sleep 600 & echo $! > '{tmp_path}/pids'; exit 9")
    with at_work(producer), pytest.raises(ProducerFailed, match="status 9"):
        drain(producer)
    (grandchild,) = numbers_in(tmp_path / "pids")
    assert not is_alive(grandchild)


@pytest.mark.timeout(60, func_only=True)
def test_a_grandchild_that_holds_the_input_does_not_hide_a_failure(tmp_path: Path) -> None:
    consumer = shell_consumer(f"exec 3<&0; sleep 600 <&3 & echo $! > '{tmp_path}/pids'; exit 9")
    with at_work(consumer), pytest.raises(ConsumerFailed, match="status 9"):
        consumer.write_all(memoryview(bytes(1 << 20)))
    (grandchild,) = numbers_in(tmp_path / "pids")
    assert not is_alive(grandchild)


def test_a_signal_reaches_the_program_and_what_it_started(tmp_path: Path) -> None:
    inner = f"trap 'echo inner >> {tmp_path}/got; exit' USR1; while :; do sleep 0.05; done"
    producer = shell(
        f"trap 'echo outer >> {tmp_path}/got' USR1; sh -c \"{inner}\" & echo $! > '{tmp_path}/pids'; wait; wait; exit 0"
    )
    with at_work(producer):
        until(lambda: bool(numbers_in(tmp_path / "pids")), "it runs")
        time.sleep(0.3)
        producer.pass_on(signal.SIGUSR1)
        assert drain(producer) == b""
    assert sorted((tmp_path / "got").read_text().split()) == ["inner", "outer"]


def test_a_program_gets_the_standard_input_and_output_that_it_is_lent(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"abc")
    with (tmp_path / "in").open("rb") as given:
        producer = ChildProducer(["cat"], stdin=given.fileno())
        with at_work(producer):
            assert drain(producer) == b"abc"
    with (tmp_path / "out").open("wb") as lent:
        consumer = ChildConsumer(["cat"], stdout=lent.fileno())
        with at_work(consumer):
            consumer.write_all(memoryview(b"abc"))
            consumer.finish()
    assert (tmp_path / "out").read_bytes() == b"abc"


def test_no_program_inherits_the_pipes_of_another(tmp_path: Path) -> None:
    """A second one that held the first one's pipe would keep the first from seeing the end of its input."""
    first, second = ChildConsumer(["cat"], stdout=os.open(os.devnull, os.O_WRONLY)), shell("sleep 600")
    with at_work(first), at_work(second):
        first.finish()


def test_a_latch_wakes_who_waits_beside_a_pipe() -> None:
    latch = Latch()
    read_end, write_end = os.pipe()
    assert not wait_for(latch, pipe=read_end, timeout_s=0.0)
    outcome = apart(lambda: wait_for(latch, pipe=read_end))
    latch.set()
    latch.set()
    assert outcome() is None
    assert latch.is_set
    os.write(write_end, b"x")
    assert wait_for(latch, pipe=read_end)
    os.close(read_end)
    os.close(write_end)


def test_an_abandoned_wait_has_no_ending() -> None:
    child = Child(["sleep", "600"])
    child.start(stdin=None, stdout=None)
    child.abandoned.set()
    assert child.wait() is None
    child.end(patience_s=0.0)
    assert child.wait() == Ending(None, signal.SIGTERM)
