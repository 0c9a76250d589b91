"""Waiting for work on the engine's threads, with and without an event loop."""

import asyncio
import concurrent.futures
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Job(Protocol, Generic[T]):
    """What the native half starts."""

    @property
    def future(self) -> concurrent.futures.Future[T]: ...

    def cancel(self) -> None: ...


def wait(job: Job[T]) -> T:
    """Waits for the end. Interrupted, it asks the job to stop and lets it record that first."""
    try:
        return job.future.result()
    except KeyboardInterrupt:
        job.cancel()
        concurrent.futures.wait([job.future])
        raise


async def wait_async(job: Job[T]) -> T:
    """The same without blocking the event loop; a cancelled task asks the job to stop and lets it record that first."""
    ended = asyncio.wrap_future(job.future)
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        job.cancel()
        await asyncio.wait([ended])
        if not ended.cancelled():
            ended.exception()  # told to whoever cancelled as the cancellation itself
        raise
