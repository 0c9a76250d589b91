"""From a real database into storage, and back."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import walwarden
from conftest import DictStorage, DictUpload, OpensslSigner, Server, open_engine


def kinds(engine: walwarden.Engine) -> list[str]:
    return [json.loads(row)["kind"] for row in engine.rows("shop")]


def test_a_backup_is_restored_and_its_evidence_verifies(
    server: Server, shop: str, engine: walwarden.Engine, key: walwarden.FileKey, tmp_path: Path
) -> None:
    storage = walwarden.open_storage(str(tmp_path / "store"), make_folder=True)
    events: list[walwarden.Event] = []
    sealed = engine.backup("shop", shop, storage, jobs=2, on_event=events.append)
    states = [event["state"] for event in events if event["type"] == "state"]
    assert states == ["queued", "claimed", "running", "finalizing", "completed"]
    assert json.loads(sealed.manifest)["jobId"] == sealed.job_id

    bundle = tmp_path / "shop.evidence.tgz"
    exported = engine.export_evidence("shop", [storage], bundle, artifacts=True)
    assert (exported.manifests, exported.artifacts, exported.missing) == (1, 1, [])
    assert repr(exported) == f"<walwarden.Exported: rows={exported.rows} manifests=1 artifacts=1 missing=0>"
    assert exported.size_bytes == bundle.stat().st_size
    report = walwarden.verify(bundle, public_keys=[key.public_key])
    assert (report.exit, report.level, report.artifacts_checked) == (0, 2, 1)

    plan = engine.plan_restore(
        sealed.manifest_sha256,
        storage,
        server.dsn("postgres"),
        "new_database",
        created_database="from_python",
        public_keys=[key.public_key],
        check="digests",
    )
    assert plan.database == "from_python"
    restored = engine.restore(plan)
    assert repr(restored) == '<walwarden.Restored: database="from_python" checked=1>'
    assert restored.checked and [(table.name, table.rows) for table in restored.checked] == [("orders", 5000)]
    dump = ["pg_dump", "--restrict-key=x"]
    assert server.run(*dump, "-d", server.dsn("from_python")) == server.run(*dump, "-d", server.dsn("shop"))
    server.sql("postgres", "drop database from_python")


def test_storage_and_signer_in_python_do_as_well(server: Server, shop: str, tmp_path: Path) -> None:
    storage, signer = DictStorage(), OpensslSigner(tmp_path)
    engine = open_engine(server, tmp_path, signer=signer)
    sealed = engine.backup("shop", shop, storage)
    # Stock tools read what lies there.
    [dump] = [body for name, body in storage.objects.items() if name.endswith(".dump")]
    (tmp_path / "shop.dump").write_bytes(dump)
    assert "TABLE DATA public orders" in server.run("pg_restore", "--list", str(tmp_path / "shop.dump"))
    bundle = tmp_path / "shop.evidence.tgz"
    engine.export_evidence("shop", [storage], bundle)
    assert walwarden.verify(bundle, public_keys=[signer.public_key]).exit == 0

    plan = engine.plan_restore(
        sealed.manifest_sha256,
        storage,
        server.dsn("postgres"),
        "new_database",
        created_database="from_dict",
        public_keys=[signer.public_key],
    )
    engine.restore(plan)
    assert server.sql("from_dict", "select count(*) from orders") == "5000"
    server.sql("postgres", "drop database from_dict")


class Broken(DictStorage):
    """Goes wrong in one method."""

    def __init__(self, method: str, how: str) -> None:
        super().__init__()
        self.broken, self.how = method, how

    def misbehave(self, method: str) -> object:
        if method != self.broken:
            return None
        if self.how == "raises":
            raise RuntimeError("the vault is on fire")
        if self.how == "hangs":
            time.sleep(3)
        if self.how == "exits":
            raise SystemExit(1)
        if self.how == "is async":
            return asyncio.sleep(0)
        return object()

    def misbehave_in_write(self, chunk: bytes) -> None:
        return self.misbehave("write")  # type: ignore[return-value]

    def size(self, name: str) -> int | None:
        if found := self.misbehave("size"):
            return found  # type: ignore[return-value]
        return super().size(name)

    def upload(self, name: str) -> DictUpload:
        if found := self.misbehave("upload"):
            return found  # type: ignore[return-value]
        upload = super().upload(name)
        if self.broken == "write":
            upload.write = self.misbehave_in_write  # type: ignore[method-assign]
        return upload

    def read(self, name: str, start: int, length: int) -> bytes:
        if found := self.misbehave("read"):
            return found  # type: ignore[return-value]
        return super().read(name, start, length)[: -1 if self.how == "short" else None]


@pytest.mark.parametrize(
    ("method", "how", "told"),
    [
        ("size", "raises", "storage raised RuntimeError: the vault is on fire"),
        ("upload", "raises", "the vault is on fire"),
        ("write", "raises", "the vault is on fire"),
        ("read", "raises", "the vault is on fire"),
        ("write", "exits", "storage raised SystemExit"),
        ("size", "garbage", "size() returned what it must not"),
        ("upload", "garbage", "upload() returned what it must not"),
        ("read", "garbage", "read() returned what it must not"),
        ("size", "is async", "size() returned what must be awaited: it must not be async"),
        ("write", "is async", "write() returned what must be awaited: it must not be async"),
        ("none", "short", "bytes instead of"),
        ("write", "hangs", "did not answer within 0.5 s"),
        ("read", "hangs", "did not answer within 0.5 s"),
    ],
)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_storage_that_misbehaves_fails_the_job_and_nothing_else(
    server: Server, shop: str, key: walwarden.FileKey, tmp_path: Path, method: str, how: str, told: str
) -> None:
    engine = open_engine(server, tmp_path, signer=key, patience_seconds=0.5)
    storage = Broken(method, how)
    with pytest.raises(walwarden.FailedError) as raised:
        engine.backup("shop", shop, storage)
    assert raised.value.code == "component-failed"
    assert told in str(raised.value)
    if "backup.queued" in kinds_or_none(engine):
        assert kinds(engine)[-1] == "backup.failed"
    # The next one is not affected.
    assert engine.backup("other", shop, DictStorage()).manifest_sha256


def kinds_or_none(engine: walwarden.Engine) -> list[str]:
    try:
        return kinds(engine)
    except walwarden.InvalidError as error:
        assert error.code == "database-unknown"
        return []


class Pretender:
    """Signs as it likes."""

    def __init__(self, public_key: str, answer: object) -> None:
        self.public_key, self.answer = public_key, answer

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer == "hangs":
            time.sleep(3)
        return self.answer  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        (b"short", "component-failed", "signer returned 5 bytes; a signature has 64"),
        (bytes(64), "component-failed", "does not verify under its key"),
        (None, "component-failed", "sign() returned what it must not"),
        ("hangs", "component-failed", "signer did not answer within 0.5 s"),
        (ValueError("no token"), "component-failed", "signer raised ValueError: no token"),
        (walwarden.Error("key-missing", "the token was pulled"), "key-missing", "the token was pulled"),
    ],
)
def test_a_signer_that_misbehaves_seals_nothing(
    server: Server, shop: str, key: walwarden.FileKey, tmp_path: Path, answer: object, code: str, told: str
) -> None:
    storage = DictStorage()
    signer = Pretender(key.public_key, answer)
    engine = open_engine(server, tmp_path, signer=signer, patience_seconds=0.5)
    with pytest.raises(walwarden.Error) as raised:
        engine.backup("shop", shop, storage)
    assert raised.value.code == code
    assert told in str(raised.value)
    assert not [name for name in storage.objects if name.endswith("manifest.json")]
    assert kinds(engine)[-1] == "backup.failed"


def test_a_signer_without_a_key_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(walwarden.Error) as raised:
        open_engine(server, tmp_path, signer=Pretender("no key", b""))
    assert raised.value.code == "key-invalid"


def test_a_listener_that_raises_stops_nothing(
    shop: str, engine: walwarden.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: reported.append(unraisable.exc_value))

    def listen(event: walwarden.Event) -> None:
        raise RuntimeError("not now")

    assert engine.backup("shop", shop, DictStorage(), on_event=listen).manifest_sha256
    assert reported and all(isinstance(error, RuntimeError) for error in reported)


class Slow(DictStorage):
    """Lets go of an upload only when told."""

    def __init__(self) -> None:
        super().__init__()
        self.writing, self.go_on = threading.Event(), threading.Event()

    def upload(self, name: str) -> DictUpload:
        upload = super().upload(name)
        write = upload.write

        def slowly(chunk: bytes) -> None:
            self.writing.set()
            self.go_on.wait(20)
            write(chunk)

        upload.write = slowly  # type: ignore[method-assign]
        return upload


def test_a_cancelled_task_records_that_it_was_stopped(shop: str, engine: walwarden.Engine) -> None:
    storage = Slow()

    async def cancelled() -> None:
        task = asyncio.create_task(engine.backup_async("shop", shop, storage))
        await asyncio.to_thread(storage.writing.wait, 20)
        task.cancel()
        await asyncio.sleep(0.05)
        task.cancel()
        asyncio.get_running_loop().call_later(0.3, storage.go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert kinds(engine)[-1] == "backup.cancelled"
    assert not storage.objects or all("audit" in name for name in storage.objects)


def test_whatever_interrupts_a_call_stops_its_job(shop: str, engine: walwarden.Engine) -> None:
    class TooLateError(Exception):
        pass

    def interrupt(*_: object) -> None:
        threading.Timer(0.3, storage.go_on.set).start()
        raise TooLateError

    storage = Slow()
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        with pytest.raises(TooLateError):
            engine.backup("shop", shop, storage)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert kinds(engine)[-1] == "backup.cancelled"


def test_an_engine_is_of_the_process_that_opened_it(engine: walwarden.Engine) -> None:
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            engine.rows("shop")
        except walwarden.InvalidError as refused:
            os._exit(0 if "forked" in str(refused) else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


class Gated(DictStorage):
    """Holds back everything that is read of a dump from the n-th time on."""

    def __init__(self, objects: dict[str, bytes], first_held: int) -> None:
        super().__init__(objects)
        self.reads, self.first_held = 0, first_held
        self.held, self.go_on = threading.Event(), threading.Event()

    def read(self, name: str, start: int, length: int) -> bytes:
        if name.endswith(".dump"):
            self.reads += 1
            if self.reads >= self.first_held:
                self.held.set()
                self.go_on.wait(20)
        return super().read(name, start, length)


@pytest.mark.parametrize("which", ["first", "last"])
def test_a_cancelled_restore_leaves_nothing_and_records_that_it_was_stopped(
    server: Server, shop: str, engine: walwarden.Engine, key: walwarden.FileKey, which: str
) -> None:
    stored = DictStorage()
    sealed = engine.backup("shop", shop, stored)
    databases = "select string_agg(datname, ' ' order by datname) from pg_database"
    before = server.sql("postgres", databases)

    def plan(storage: DictStorage) -> walwarden.Plan:
        return engine.plan_restore(
            sealed.manifest_sha256,
            storage,
            server.dsn("postgres"),
            "new_database",
            created_database="never_seen",
            public_keys=[key.public_key],
        )

    # The last read is that of the rows: the database is half built by then.
    whole = Gated(stored.objects, first_held=1000)
    engine.restore(plan(whole))
    server.sql("postgres", "drop database never_seen")
    storage = Gated(stored.objects, first_held=1000)
    planned = plan(storage)
    storage.first_held = 1 + storage.reads if which == "first" else whole.reads

    async def cancelled() -> None:
        task = asyncio.create_task(engine.restore_async(planned))
        assert await asyncio.to_thread(storage.held.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    storage.go_on.set()
    last = json.loads(engine.rows("shop")[-1])
    assert (last["kind"], last["payload"]["class"]) == ("restore.failed", "cancelled")
    assert server.sql("postgres", databases) == before
    # Nothing stands in the way of the next one.
    engine.restore(plan(stored))
    server.sql("postgres", "drop database never_seen")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_control_c_records_that_it_was_stopped(
    server: Server, shop: str, tmp_path: Path, number: signal.Signals
) -> None:
    program = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[3]); import walwarden, conftest, test_engine\n"
        # Who runs the tests in the background may have them ignore Ctrl-C; for SIGTERM it is as the page says.
        "import signal; signal.signal(int(sys.argv[6]), signal.default_int_handler)\n"
        "server = conftest.Server('127.0.0.1', int(sys.argv[4]), 'postgres', '', pathlib.Path(sys.argv[5]))\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "engine = conftest.open_engine(server, folder, signer=walwarden.FileKey.generate(folder / 'k.pem'))\n"
        "storage = test_engine.Slow(); storage.go_on.wait = lambda _: __import__('time').sleep(0.2)\n"
        "import threading; threading.Thread(target=lambda: (storage.writing.wait(), print('writing', flush=True)), daemon=True).start()\n"
        "try: engine.backup('shop', sys.argv[2], storage)\n"
        "except KeyboardInterrupt: print(test_engine.kinds(engine)[-1])\n"
    )
    here = str(Path(__file__).parent)
    arguments = [str(tmp_path), shop, here, str(server.port), str(server.bin_dir), str(int(number))]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "writing\n"
    process.send_signal(number)
    assert process.communicate(timeout=30)[0] == "backup.cancelled\n"


@pytest.mark.skipif(sys.platform != "linux", reason="priorities are those of processes elsewhere")
def test_jobs_come_after_the_programs_own_threads(shop: str, engine: walwarden.Engine) -> None:
    called: set[int] = set()
    threads: set[int] = set()

    class Asking(DictStorage):
        def size(self, name: str) -> int | None:
            called.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            for thread in os.listdir("/proc/self/task"):
                with suppress(ProcessLookupError):  # ended meanwhile
                    threads.add(os.getpriority(os.PRIO_PROCESS, int(thread)))
            return super().size(name)

    before = os.getpriority(os.PRIO_PROCESS, 0)
    if before > 9:
        pytest.skip("there is no niceness of 10 more")
    engine.backup("shop", shop, Asking())
    # What holds the interpreter's lock does not stand back.
    assert (called, threads) == ({before}, {before, before + 10})
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_many_at_once_do_not_block_the_loop(
    server: Server, shop: str, key: walwarden.FileKey, tmp_path: Path
) -> None:
    """Ten backups side by side; between their beginnings and ends the loop goes on."""

    async def beat(delays: list[float]) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            delays.append(time.perf_counter() - before - 0.005)

    async def run() -> list[float]:
        delays: list[float] = []
        pulse = asyncio.create_task(beat(delays))
        (tmp_path / "many").mkdir()
        engine = open_engine(server, tmp_path / "many", signer=key)
        backups = [engine.backup_async(f"shop-{n}", shop, DictStorage()) for n in range(10)]
        sealed = await asyncio.gather(*backups)
        assert len({one.manifest_sha256 for one in sealed}) == 10
        pulse.cancel()
        return delays

    delays = sorted(asyncio.run(run()))
    assert len(delays) > 20, "the loop stood still"
    print(f"event-loop delay of 10 backups: p99 {delays[int(len(delays) * 0.99) - 1] * 1000:.1f} ms")


def test_a_lost_catalogue_comes_back_from_the_storage(
    server: Server, shop: str, engine: walwarden.Engine, key: walwarden.FileKey, tmp_path: Path
) -> None:
    storage = DictStorage()
    first = engine.backup("shop", shop, storage)
    (tmp_path / "new").mkdir()
    again = open_engine(server, tmp_path / "new", signer=key)
    with pytest.raises(walwarden.RefusedError) as raised:
        again.backup("shop", shop, storage)
    assert raised.value.code == "chain-exists"

    other = walwarden.FileKey.generate(tmp_path / "other.pem")
    with pytest.raises(walwarden.RefusedError) as raised:
        again.rebuild_catalog(storage, public_keys=[other.public_key])
    assert raised.value.code == "chain-uncovered"
    assert again.rebuild_catalog(storage, public_keys=[key.public_key], database_id="other") == []

    class Slow(DictStorage):
        def list(self, prefix: str) -> list[tuple[str, int]]:
            go_on.wait(20)
            return super().list(prefix)

    async def given_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(again.rebuild_catalog_async(Slow(), public_keys=[key.public_key]), 0.2)

    go_on = threading.Event()
    asyncio.run(given_up())
    assert not go_on.is_set()
    go_on.set()
    [rebuilt] = asyncio.run(again.rebuild_catalog_async(storage, public_keys=[key.public_key]))
    assert (rebuilt.org_id, rebuilt.database_id, rebuilt.backups) == ("acme", "shop", 1)
    assert rebuilt.rows == rebuilt.covered_rows == len(engine.rows("shop"))
    assert again.rows("shop") == engine.rows("shop")
    assert again.backup("shop", shop, storage).manifest_sha256 != first.manifest_sha256


class Lending(DictStorage):
    """Answers with memory that is not `bytes`."""

    def read(self, name: str, start: int, length: int) -> memoryview:  # type: ignore[override]
        return memoryview(bytearray(self.objects[name]))[start : start + length]


def test_what_lends_its_memory_is_as_good_as_bytes(
    server: Server, shop: str, key: walwarden.FileKey, tmp_path: Path
) -> None:
    class Wrapped(OpensslSigner):
        def sign(self, message: bytes) -> bytearray:  # type: ignore[override]
            return bytearray(super().sign(message))

    engine = open_engine(server, tmp_path, signer=Wrapped(tmp_path))
    assert engine.backup("shop", shop, Lending()).manifest_sha256


def test_what_is_no_component_is_refused_before_anything_is_done(
    server: Server, shop: str, engine: walwarden.Engine, key: walwarden.FileKey, tmp_path: Path
) -> None:
    url = "s3://key:secret@bucket"
    never: object = None
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: engine.backup("shop", shop, url), "to is neither what open_storage returns nor a Storage: it has no method upload class=str"),  # type: ignore[arg-type]
        (lambda: engine.export_evidence("shop", [never], tmp_path / "out"), "storages is neither"),  # type: ignore[list-item]
        (lambda: engine.plan_restore("0" * 64, key, shop, "in_place"), "storage is neither"),  # type: ignore[arg-type]
        (lambda: engine.backup("shop", shop, DictStorage(), on_event=1), "on_event is no function class=int"),  # type: ignore[arg-type]
        (lambda: open_engine(server, tmp_path, signer=url), "signer is no FileKey and no Signer: it has no method sign class=str"),  # type: ignore[arg-type]
        (lambda: open_engine(server, tmp_path, signer=Pretender(b"", b"")), "it has no text public_key class=Pretender"),  # type: ignore[arg-type]
    ]
    for call, told in calls:
        with pytest.raises(walwarden.InvalidError) as raised:
            call()
        assert raised.value.code == "argument-invalid"
        assert told in str(raised.value) and "secret" not in str(raised.value)
    assert kinds_or_none(engine) == []


def test_arguments_without_meaning_are_told(shop: str, engine: walwarden.Engine) -> None:
    storage = DictStorage()
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: engine.backup("No Name", shop, storage), "argument-invalid"),
        (lambda: engine.backup("shop", "://", storage), "dsn-invalid"),
        (lambda: engine.backup("shop", shop, storage, compression="brotli"), "argument-invalid"),
        (lambda: engine.plan_restore("zz", storage, shop, "new_database"), "argument-invalid"),
        (lambda: engine.plan_restore("0" * 64, storage, shop, "sideways"), "argument-invalid"),  # type: ignore[arg-type]
        (lambda: walwarden.open_storage("ftp://x"), "destination-invalid"),
        (lambda: walwarden.Engine(""), "argument-invalid"),
        (lambda: walwarden.Engine("acme", attempts=0), "argument-invalid"),
        (lambda: engine.backup("shop", shop, storage, jobs=0), "argument-invalid"),
    ]
    for call, code in calls:
        with pytest.raises(walwarden.Error) as raised:
            call()
        assert raised.value.code == code, raised.value
    with pytest.raises(TypeError):
        engine.backup("shop", shop, storage, job=2)  # type: ignore[call-arg]


def test_an_argument_of_another_type_is_told_by_its_name(shop: str, engine: walwarden.Engine, tmp_path: Path) -> None:
    storage, out = DictStorage(), tmp_path / "out"
    calls: list[tuple[Callable[[], object], str, str]] = [
        (lambda: engine.backup("shop", shop, storage, tables="orders"), "tables", "must be a list, not str"),
        (lambda: engine.backup("shop", shop, storage, schemas=[7]), "schemas", "'int' object is not an instance of 'str'"),  # type: ignore[list-item]
        (lambda: engine.backup("shop", shop, storage, jobs="2"), "jobs", "'str' object cannot be interpreted as an integer"),  # type: ignore[arg-type]
        (lambda: engine.export_evidence("shop", storage, out), "storages", "must be a list, not DictStorage"),  # type: ignore[arg-type]
        (lambda: engine.rebuild_catalog(storage, public_keys="PEM"), "public_keys", "must be a list, not str"),
        (lambda: walwarden.verify(7), "bundle", "must be a path or bytes, not int"),  # type: ignore[arg-type]
        (lambda: walwarden.verify(b"", public_keys={"a": "b"}), "public_keys", "must be a list, not dict"),  # type: ignore[arg-type]
        (lambda: walwarden.open_storage("s3://b", credentials="key"), "credentials", "must be a mapping, not str"),  # type: ignore[arg-type]
        (lambda: walwarden.open_storage("s3://b", credentials={"aws_region": 1}), "credentials", "'int' object is not an instance of 'str'"),  # type: ignore[dict-item]
    ]
    for call, name, told in calls:
        with pytest.raises(TypeError) as raised:
            call()
        assert (str(raised.value), raised.value.__notes__) == (told, [f"while processing '{name}'"])
