"""A real server, and what a program may bring of its own."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import walwarden

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "spec/vectors"
ALPHA = (VECTORS / "keys/alpha.pub.pem").read_text()


@dataclass
class Server:
    """A throwaway Postgres."""

    host: str
    port: int
    user: str
    password: str
    bin_dir: Path

    def dsn(self, database: str) -> str:
        return f"host={self.host} port={self.port} user={self.user} dbname={database} connect_timeout=5"

    def run(self, program: str, *arguments: str) -> str:
        """One of the server's own programs."""
        environment = os.environ | {"PGPASSWORD": self.password}
        command = [str(self.bin_dir / program), *arguments]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return ended.stdout.strip()

    def sql(self, database: str, text: str) -> str:
        return self.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.dsn(database), "-c", text)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    programs = Path(os.environ.get("WALWARDEN_PROGRAMS", ROOT / "target/debug"))
    program = str(programs / "throwaway-postgres")
    process = subprocess.Popen([program, "17"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout
    told = json.loads(process.stdout.readline())
    yield Server(told["host"], told["port"], told["user"], told["password"], Path(told["binDir"]))
    process.stdin.close()
    process.wait(30)


@pytest.fixture(scope="session")
def shop(server: Server) -> str:
    """The connection string of a database with rows in it; its password is in the environment."""
    os.environ["PGPASSWORD"] = server.password
    server.sql("postgres", "create database shop")
    server.sql(
        "shop",
        "create table orders (id int primary key, note text);"
        "insert into orders select n, repeat(md5(n::text), 20) from generate_series(1, 5000) n",
    )
    return server.dsn("shop")


@pytest.fixture
def key(tmp_path: Path) -> walwarden.FileKey:
    return walwarden.FileKey.generate(tmp_path / "key.pem")


@pytest.fixture
def engine(server: Server, key: walwarden.FileKey, tmp_path: Path) -> walwarden.Engine:
    return open_engine(server, tmp_path, signer=key)


def open_engine(
    server: Server, folder: Path, *, signer: walwarden.Signer | walwarden.FileKey, patience_seconds: float = 60
) -> walwarden.Engine:
    return walwarden.Engine(
        "acme",
        signer=signer,
        catalog=folder / "catalog.db",
        attempts=1,
        client_dirs=[server.bin_dir],
        patience_seconds=patience_seconds,
    )


@dataclass
class DictStorage:
    """A storage in memory, written in Python."""

    objects: dict[str, bytes] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def upload(self, name: str) -> "DictUpload":
        return DictUpload(self, name)

    def size(self, name: str) -> int | None:
        found = self.objects.get(name)
        return None if found is None else len(found)

    def read(self, name: str, start: int, length: int) -> bytes:
        return self.objects[name][start : start + length]

    def list(self, prefix: str) -> list[tuple[str, int]]:
        below = f"{prefix}/" if prefix else ""
        return [(name, len(body)) for name, body in self.objects.items() if name.startswith(below)]

    def abandon(self, name: str, upload: str) -> None:
        pass

    def put_if_absent(self) -> bool:
        return True


@dataclass
class DictUpload:
    storage: DictStorage
    name: str
    body: bytearray = field(default_factory=bytearray)

    def write(self, chunk: bytes) -> None:
        self.body += chunk

    def finish(self) -> None:
        with self.storage.lock:
            if self.name in self.storage.objects:
                raise walwarden.Error("object-exists", f"object exists already name={self.name}")
            self.storage.objects[self.name] = bytes(self.body)

    def abort(self) -> None:
        self.body.clear()


class OpensslSigner:
    """Signs with a key that only OpenSSL reads."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "openssl.pem"
        self._run("genpkey", "-algorithm", "ed25519", "-out", str(self.file))
        self.public_key = self._run("pkey", "-in", str(self.file), "-pubout").decode()

    def sign(self, message: bytes) -> bytes:
        # OpenSSL wants the message in a file.
        path = self.file.with_name(f"message-{threading.get_ident()}")
        path.write_bytes(message)
        return self._run("pkeyutl", "-sign", "-rawin", "-inkey", str(self.file), "-in", str(path))

    def _run(self, *arguments: str) -> bytes:
        return subprocess.run(["openssl", *arguments], capture_output=True, check=True).stdout
