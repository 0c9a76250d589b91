from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from os import PathLike
from typing import Generic, TypeVar, final

from ._components import Listener, Octets, Signer, Storage

_T = TypeVar("_T")

__all__ = [
    "ChainKey",
    "CheckedTable",
    "Destination",
    "Engine",
    "Exported",
    "FileKey",
    "Finding",
    "Job",
    "Missing",
    "Plan",
    "Rebuilt",
    "Report",
    "Restored",
    "Sealed",
    "__version__",
    "forked",
    "leave",
    "open_storage",
    "verify",
    "walwarden",
    "walwarden_verify",
]

__version__: str

def leave() -> None: ...
def forked() -> None: ...
def walwarden(arguments: Sequence[str | PathLike[str]]) -> int: ...
def walwarden_verify(arguments: Sequence[str | PathLike[str]]) -> int: ...
def verify(
    bundle: str | PathLike[str] | Octets,
    *,
    public_keys: Sequence[str] = ...,
    fingerprints: Sequence[str] = ...,
    witnesses: Sequence[str] = ...,
    witness_policy: Octets | None = None,
    policy: Octets | None = None,
    as_of: str | None = None,
    since: Octets | None = None,
    authorities: Sequence[str] = ...,
    level: int | None = None,
    now: str | None = None,
) -> Job[Report]: ...
def open_storage(
    url: str, *, credentials: Mapping[str, str] | None = None, make_folder: bool = False
) -> Destination: ...
@final
class Finding:
    """One check and what became of it."""

    @property
    def status(self) -> str:
        """``ok``, ``failed`` or ``not_checked``."""

    @property
    def code(self) -> str:
        """Which check; stable."""

    @property
    def object(self) -> str | None:
        """What it concerns: a path in the bundle, ``row 7``, or what the auditor brought, as ``policy``."""

    @property
    def detail(self) -> str:
        """One line for people, as it is."""

    @property
    def text(self) -> str:
        """The line that the command prints, control and bidirectional characters escaped."""

@final
class ChainKey:
    """A key of the chain."""

    @property
    def key_id(self) -> str: ...
    @property
    def from_seq(self) -> int:
        """The row from which it holds."""

    @property
    def pinned(self) -> bool:
        """Whether you named it."""

    @property
    def revoked_seq(self) -> int | None:
        """The row that revoked it."""

@final
class Report:
    """Everything a verification found. ``str()`` has one line for each check and the verdict."""

    @property
    def exit(self) -> int:
        """The exit status of ``walwarden-verify``: 0 where the level is reached."""

    @property
    def verdict(self) -> str:
        """In a few words, whether the asked level is reached."""

    @property
    def level(self) -> int | None:
        """The highest level reached; None when the evidence contradicts itself or is malformed."""

    @property
    def asked(self) -> int:
        """The level that was asked for."""

    @property
    def findings(self) -> list[Finding]: ...
    @property
    def failures(self) -> list[Finding]: ...
    @property
    def keys(self) -> list[ChainKey]: ...
    @property
    def not_proven(self) -> list[str]:
        """What stays open, in plain words."""

    @property
    def events(self) -> int:
        """Rows that were read."""

    @property
    def manifests(self) -> int:
        """Manifests whose signature is good."""

    @property
    def artifacts_checked(self) -> int:
        """Dumps that were compared with their manifest and match."""

    def to_json(self) -> bytes:
        """Canonical JSON, ``spec/report.schema.json``."""

    def to_html(self) -> str:
        """A page for working papers."""

@final
class FileKey:
    """A signing key in a file of its own: Ed25519, PKCS#8 PEM, readable by its owner only."""

    @staticmethod
    def load(path: str | PathLike[str]) -> FileKey: ...
    @staticmethod
    def generate(path: str | PathLike[str]) -> FileKey:
        """Draws a new key into a new file."""

    @property
    def public_key(self) -> str:
        """The public half, SPKI PEM: what restores and auditors take."""

    @property
    def key_id(self) -> str: ...

@final
class Destination:
    """Storage that :func:`walwarden.open_storage` opened."""

    @property
    def url(self) -> str: ...

@final
class Sealed:
    """A backup whose manifest and dump were read back and compared."""

    @property
    def job_id(self) -> str: ...
    @property
    def manifest_sha256(self) -> str:
        """The handle that a restore takes."""

    @property
    def manifest(self) -> bytes:
        """The manifest's own canonical bytes."""

@final
class Plan:
    """What a restore will do."""

    @property
    def database(self) -> str:
        """The database that will hold the data."""

    @property
    def target_version(self) -> str: ...
    @property
    def in_one_transaction(self) -> bool:
        """In place: whether a failure leaves the old contents as they were."""

    @property
    def spools(self) -> bool:
        """Whether the dump is first copied into the spool folder."""

    @property
    def dropped(self) -> list[str]:
        """In place: what is in the target now."""

    @property
    def notices(self) -> list[str]: ...

@final
class CheckedTable:
    """A table that agrees with the backup's index."""

    @property
    def schema(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def digest(self) -> str | None: ...

@final
class Restored:
    """A finished restore."""

    @property
    def database(self) -> str: ...
    @property
    def notices(self) -> list[str]: ...
    @property
    def checked(self) -> list[CheckedTable] | None:
        """Every table that was compared with the backup's index; None where nothing was compared."""

@final
class Rebuilt:
    """A chain that came back into the catalogue."""

    @property
    def org_id(self) -> str: ...
    @property
    def database_id(self) -> str | None:
        """None for the organisation's own chain."""

    @property
    def rows(self) -> int: ...
    @property
    def covered_rows(self) -> int:
        """So many of them, from the first on, are covered by the newest checkpoint that a trusted key signed."""

    @property
    def backups(self) -> int:
        """Backups it tells of, in whatever state."""

    @property
    def notices(self) -> list[str]: ...

@final
class Missing:
    """Something that should be in a bundle and is not."""

    @property
    def name(self) -> str: ...
    @property
    def code(self) -> str: ...

@final
class Exported:
    """What a bundle holds."""

    @property
    def size_bytes(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def manifests(self) -> int: ...
    @property
    def artifacts(self) -> int: ...
    @property
    def head(self) -> str: ...
    @property
    def missing(self) -> list[Missing]: ...

@final
class Job(Generic[_T]):
    @property
    def future(self) -> Future[_T]: ...
    def cancel(self) -> None: ...

@final
class Engine:
    def __new__(
        cls,
        org_id: str,
        *,
        signer: FileKey | Signer | None = None,
        catalog: str | PathLike[str] | None = None,
        spool_dir: str | PathLike[str] | None = None,
        worker: str | None = None,
        attempts: int | None = None,
        backoff_seconds: float | None = None,
        client_dirs: Sequence[str | PathLike[str]] = ...,
        patience_seconds: float | None = None,
    ) -> Engine: ...
    def backup(
        self,
        database_id: str,
        source: str,
        to: Destination | Storage,
        *,
        jobs: int | None = None,
        compression: str | None = None,
        roles: bool = False,
        no_owner: bool = False,
        no_privileges: bool = False,
        schemas: Sequence[str] = ...,
        exclude_schemas: Sequence[str] = ...,
        tables: Sequence[str] = ...,
        exclude_tables: Sequence[str] = ...,
        exclude_table_data: Sequence[str] = ...,
        lock_timeout_seconds: int | None = None,
        on_event: Listener | None = None,
    ) -> Job[Sealed]: ...
    def plan_restore(
        self,
        manifest_sha256: str,
        storage: Destination | Storage,
        target: str,
        mode: str,
        *,
        public_keys: Sequence[str] = ...,
        created_database: str | None = None,
        confirm_destructive: bool = False,
        from_destination: bool = False,
        no_owner: bool = False,
        no_privileges: bool = False,
        tables: Sequence[tuple[str | None, str]] = ...,
        schemas: Sequence[str] = ...,
        scope: str | None = None,
        jobs: int | None = None,
        check: str | None = None,
        spooling: str | None = None,
    ) -> Job[Plan]: ...
    def restore(self, plan: Plan, *, on_event: Listener | None = None) -> Job[Restored]: ...
    def export_evidence(
        self,
        database_id: str,
        storages: Sequence[Destination | Storage],
        out: str | PathLike[str],
        *,
        artifacts: bool = False,
        allow_missing: bool = False,
    ) -> Job[Exported]: ...
    def rebuild_catalog(
        self,
        storage: Destination | Storage,
        *,
        public_keys: Sequence[str] = ...,
        database_id: str | None = None,
        accept_uncovered: bool = False,
    ) -> Job[list[Rebuilt]]: ...
    def rows(self, database_id: str, first_seq: int, limit: int) -> Job[list[bytes]]: ...
