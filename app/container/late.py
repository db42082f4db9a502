"""Makers of what not every run needs: each imports it when it is first asked for (ADR 0022)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s3duct.adapters.child_process.consumer import ChildConsumer
    from s3duct.adapters.child_process.producer import ChildProducer
    from s3duct.adapters.journal_file import FileJournalStore
    from s3duct.app.usecases.keygen import KeygenPorts
    from s3duct.app.usecases.list_streams import ListPorts
    from s3duct.app.usecases.opening import ReadPorts
    from s3duct.app.usecases.put_request import PutPorts


def make_journals(state_dir: Path) -> FileJournalStore:
    """Return the journals of unfinished runs on this machine."""
    from s3duct.adapters.journal_file import FileJournalStore

    return FileJournalStore(state_dir)


def make_producer(command: Sequence[str], *, stdin: int | None) -> ChildProducer:
    """Return a source that is a program."""
    from s3duct.adapters.child_process.producer import ChildProducer

    return ChildProducer(command, stdin=stdin)


def make_consumer(command: Sequence[str], *, stdout: int | None) -> ChildConsumer:
    """Return a sink that is a program."""
    from s3duct.adapters.child_process.consumer import ChildConsumer

    return ChildConsumer(command, stdout=stdout)


def put_ports(**ports: Any) -> PutPorts:
    """Return what put asks for."""
    from s3duct.app.usecases.put_request import PutPorts

    return PutPorts(**ports)


def read_ports(**ports: Any) -> ReadPorts:
    """Return what get and verify ask for."""
    from s3duct.app.usecases.opening import ReadPorts

    return ReadPorts(**ports)


def list_ports(**ports: Any) -> ListPorts:
    """Return what list asks for."""
    from s3duct.app.usecases.list_streams import ListPorts

    return ListPorts(**ports)


def keygen_ports(**ports: Any) -> KeygenPorts:
    """Return what keygen asks for."""
    from s3duct.app.usecases.keygen import KeygenPorts

    return KeygenPorts(**ports)
