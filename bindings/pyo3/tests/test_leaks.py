"""Work that is done again and again leaves nothing behind."""

import asyncio
import gc
import os
import time
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
import walwarden
from conftest import ALPHA, VECTORS, DictStorage, Server, open_engine

GOOD = VECTORS / "good/artifact-included.evidence.tgz"
# A minute with WALWARDEN_LEAK_SECONDS=60.
SECONDS = float(os.environ.get("WALWARDEN_LEAK_SECONDS", "8"))


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def rounds(work: Callable[[int], object], seconds: float) -> int:
    done, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        work(done)
        done += 1
    return done


def test_a_thousand_verifications() -> None:
    def verify(_: int) -> None:
        report = walwarden.verify(GOOD, public_keys=[ALPHA])
        report.to_json(), report.findings, str(report)

    for number in range(200):
        verify(number)
    warm = resident()
    for number in range(1000):
        verify(number)
    assert resident() - warm < 8 * 2**20


def test_backups_for_a_while(server: Server, shop: str, key: walwarden.FileKey, tmp_path: Path) -> None:
    """Good ones and such that fail, with storage and listener in Python."""
    engine = open_engine(server, tmp_path, signer=key)

    def full(name: str) -> None:
        raise walwarden.Error("storage-full", "no room")

    def back_up(number: int) -> None:
        storage, events = DictStorage(), list[walwarden.Event]()
        if number % 4 == 3:
            storage.upload = full  # type: ignore[method-assign, assignment]
        try:
            # Each has a chain of its own: the engine reads a chain whole.
            engine.backup(f"shop-{number}", shop, storage, on_event=events.append)
        except walwarden.UnavailableError as error:
            assert number % 4 == 3, error
        assert events

    warming = rounds(back_up, SECONDS / 2)
    warm = resident()
    done = rounds(lambda number: back_up(warming + number), SECONDS)
    grown = resident() - warm
    print(f"{done} backups: {grown / 2**20:.1f} MiB more")
    assert done >= 4 and grown < 16 * 2**20


class Local:
    """What a function that calls has in its frame."""


def test_what_fails_lets_go_of_its_callers(server: Server, key: walwarden.FileKey, tmp_path: Path) -> None:
    engine = open_engine(server, tmp_path, signer=key)
    absent = tmp_path / "absent.tgz"
    kept: list[weakref.ref[Local]] = []

    def failing(call: Callable[[], object]) -> None:
        local = Local()
        kept.append(weakref.ref(local))
        with pytest.raises(walwarden.Error):
            call()

    async def failing_async(call: Callable[[], Coroutine[object, object, object]]) -> None:
        local = Local()
        kept.append(weakref.ref(local))
        with pytest.raises(walwarden.Error):
            await call()

    async def cancelled() -> None:
        local = Local()
        kept.append(weakref.ref(local))
        task = asyncio.create_task(engine.rows_async("shop"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for _ in range(5):
        failing(lambda: engine.rows("shop"))
        failing(lambda: walwarden.verify(absent))
        failing(lambda: walwarden.Engine("acme", catalog=tmp_path / "other.db").rows("shop"))
        asyncio.run(failing_async(lambda: engine.rows_async("shop")))
        asyncio.run(failing_async(lambda: walwarden.verify_async(absent)))
        asyncio.run(cancelled())
    gc.collect()
    assert [one() for one in kept if one() is not None] == []
    open_files = [os.readlink(file) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    assert [file for file in open_files if file.endswith("other.db")] == []
