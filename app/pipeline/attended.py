"""Looks after the program at the other end of the pipe for as long as a run lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from s3duct.app.pipeline.parallel import cancel_all
from s3duct.app.pipeline.stopping import StopRequest
from s3duct.app.pipeline.workers import run_apart
from s3duct.domain.errors import ConsumerFailed, ProducerFailed, SinkClosed
from s3duct.domain.events import Listener, Notice
from s3duct.domain.ports.output import Output
from s3duct.domain.ports.pipe import Source
from s3duct.domain.ports.process import Process, Producer

# A signal to a whole group (Ctrl-C, a service manager) reaches both: the news of the program's end may come first.
_SIGNAL_MAY_BE_LATE_S = 0.2


@asynccontextmanager
async def attended(
    end_of_pipe: Source | Output, *, stop: StopRequest, listener: Listener, hint: str
) -> AsyncIterator[None]:
    """Pass a request to stop on to the program, if it is one, and see to it that it has ended when the run has.

    Args:
        end_of_pipe: a program, or anything else, with which nothing is done.
        hint: of the `Interrupted` that takes the place of the program's failure, if both come of the same signal.
    """
    if not isinstance(end_of_pipe, Process):
        yield
        return
    end_means = "it is not needed any more" if isinstance(end_of_pipe, Producer) else "its input is not whole"
    stop.before_leaving(end_of_pipe.kill)
    passing_on = asyncio.ensure_future(_pass_on(end_of_pipe, stop))
    try:
        yield
    except (ProducerFailed, ConsumerFailed):
        if await _is_stopped_soon(stop):
            raise stop.as_error(hint) from None
        raise
    except SinkClosed as error:
        listener(Notice(error.message))  # no shell tells of it
        raise
    finally:
        await cancel_all((passing_on,))
        if passing_on.cancelled():  # the run has heard of the request before that task did
            _pass_on_now(end_of_pipe, stop)
        if await run_apart("end", end_of_pipe.end):
            listener(Notice(f"{end_of_pipe.name} was ended: {end_means}"))


async def _pass_on(process: Process, stop: StopRequest) -> None:
    await stop.wait()
    _pass_on_now(process, stop)


def _pass_on_now(process: Process, stop: StopRequest) -> None:
    if stop.signal_number:
        process.pass_on(stop.signal_number)


async def _is_stopped_soon(stop: StopRequest) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), _SIGNAL_MAY_BE_LATE_S)
    except TimeoutError:
        return False
    return True
