"""Waiting for work on the engine's threads, with and without an event loop."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


class Job(Protocol, Generic[T]):
    """What the native half starts."""

    @property
    def future(self) -> Future[T]: ...

    def cancel(self) -> None: ...


def wait(job: Job[T]) -> T:
    """Waits for the end. Whatever interrupts it, Ctrl-C or what another signal's handler raises, it asks the job to stop and lets
    it record that first."""
    try:
        return job.future.result()
    except BaseException:
        if not job.future.done():
            job.cancel()
            job.future.exception()
        raise
    finally:
        # An exception holds this frame, and the job holds the exception: nobody would ever let go of either.
        del job


async def wait_async(job: Job[T]) -> T:
    """The same without blocking the event loop; a cancelled task asks the job to stop and lets it record that first."""
    import asyncio  # has been imported by whoever awaits, and costs others more than all of this package

    ended = asyncio.wrap_future(job.future)
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        job.cancel()
        while not ended.done():
            with suppress(asyncio.CancelledError):  # asked for again; once is enough
                await asyncio.wait([ended])
        if not ended.cancelled():
            ended.exception()  # told to whoever cancelled as the cancellation itself
        raise
    finally:
        del job, ended
