from __future__ import annotations

import dataclasses
import inspect

import pytest

from s3duct.domain import events
from s3duct.domain.events import BytesMoved, ChunkFinished, Event, Listener, TransferStarted, ignore_events

KINDS = [member for _, member in inspect.getmembers(events, inspect.isclass) if issubclass(member, Event)]


@pytest.mark.parametrize("kind", KINDS)
def test_events_are_values(kind: type[Event]) -> None:
    event = kind(**{field.name: 1 for field in dataclasses.fields(kind)})
    assert event == kind(**dataclasses.asdict(event))
    assert len({event, kind(**dataclasses.asdict(event))}) == 1
    assert not hasattr(event, "__dict__")
    for field in dataclasses.fields(kind):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(event, field.name, 2)


def test_everything_public_in_the_module_is_an_event() -> None:
    public = {
        name
        for name, member in inspect.getmembers(events, inspect.isclass)
        if member.__module__ == events.__name__
    }
    assert public == {kind.__name__ for kind in KINDS}


def test_events_of_different_kinds_differ() -> None:
    moved: Event = BytesMoved(1)
    assert moved != events.ChunkStarted(1)


def test_what_is_not_said_is_not_known() -> None:
    assert TransferStarted("s") == TransferStarted("s", total_bytes=None, total_chunks=None)
    assert not ChunkFinished(0, 1).resumed


def test_nobody_has_to_listen() -> None:
    listener: Listener = ignore_events
    for kind in KINDS:
        listener(kind(**{field.name: 1 for field in dataclasses.fields(kind)}))
