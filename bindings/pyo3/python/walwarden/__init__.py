"""Backups of Postgres that anyone can prove.

Verify evidence with a public key:

>>> import walwarden
>>> report = walwarden.verify("acme-shop.evidence.tgz", public_keys=[open("acme.pub.pem").read()])  # doctest: +SKIP
>>> report.verdict  # doctest: +SKIP
'verified'

Back up, restore and export evidence with :class:`Engine`. Every method that takes its time has a twin that ends in ``_async``.
All rules are those of the Rust library; errors are :class:`Error` with its stable ``code``.
"""

import atexit
import os
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Literal, TypedDict, Unpack

from . import _native
from ._components import (
    Event,
    Listener,
    NoticeEvent,
    Octets,
    Signer,
    StateEvent,
    Storage,
    TransferEvent,
    Upload,
)
from ._errors import (
    CancelledError,
    ConflictError,
    DamagedError,
    Error,
    FailedError,
    InternalError,
    InvalidError,
    RefusedError,
    UnavailableError,
)
from ._jobs import Job, wait, wait_async
from ._native import (
    ChainKey,
    CheckedTable,
    Destination,
    Exported,
    FileKey,
    Finding,
    Missing,
    Plan,
    Rebuilt,
    Report,
    Restored,
    Sealed,
    __version__,
)

__all__ = [
    "BackupOptions",
    "CancelledError",
    "ChainKey",
    "CheckedTable",
    "ConflictError",
    "DamagedError",
    "Destination",
    "Engine",
    "EngineOptions",
    "Error",
    "Event",
    "Exported",
    "FailedError",
    "FileKey",
    "Finding",
    "InternalError",
    "InvalidError",
    "Listener",
    "Missing",
    "NoticeEvent",
    "Octets",
    "Plan",
    "Rebuilt",
    "RefusedError",
    "Report",
    "RestoreOptions",
    "Restored",
    "Sealed",
    "Signer",
    "StateEvent",
    "Storage",
    "TransferEvent",
    "Trust",
    "UnavailableError",
    "Upload",
    "__version__",
    "open_storage",
    "verify",
    "verify_async",
]

Path = str | PathLike[str]

atexit.register(_native.leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_native.forked)


class Trust(TypedDict, total=False):
    """Whom an auditor trusts and what he demands."""

    public_keys: Sequence[str]
    """Keys of the chain, SPKI PEM; each text may hold several."""
    fingerprints: Sequence[str]
    """Ids of keys (``sha256:…``) whose bytes are taken from the bundle."""
    witnesses: Sequence[str]
    """Witnesses as C2SP vkeys; one of them is enough. Not together with a witness policy."""
    witness_policy: Octets
    """Logs, witnesses and their quorum: a C2SP tlog-policy."""
    policy: Octets
    """What is demanded beyond the format: JSON of type ``walwarden.audit-policy``."""
    as_of: str
    """The time of which the ages are taken that the policy limits (``2026-01-31T12:00:00.000Z``), not the present."""
    since: Octets
    """A checkpoint of this chain that was kept earlier."""
    authorities: Sequence[str]
    """Certificates of time stamping authorities, PEM."""
    level: int
    """The level to reach, 0 to 4; 2 unless given."""
    now: str
    """The present, which the report states; the machine's clock unless given."""


def verify(bundle: Path | Octets, **trust: Unpack[Trust]) -> Report:
    """Checks an evidence bundle (a path, or its bytes) offline against what you trust: the members of :class:`Trust`.

    Whatever is wrong with the evidence is in the report. Raises :class:`Error` when an argument has no meaning or the bundle
    cannot be read.
    """
    return wait(_verification(bundle, trust))


async def verify_async(bundle: Path | Octets, **trust: Unpack[Trust]) -> Report:
    """:func:`verify` for event loops; a cancelled task stops the verification."""
    return await wait_async(_verification(bundle, trust))


def _verification(bundle: Path | Octets, trust: Trust) -> Job[Report]:
    return _native.verify(bundle, **trust)


def open_storage(
    url: str, *, credentials: Mapping[str, str] | None = None, make_folder: bool = False
) -> Destination:
    """Opens ``file:///folder``, ``s3://bucket/prefix?region=…``, ``gs://…``, ``az://…`` or ``memory://name``.

    Without ``credentials`` they are taken from the environment variables of the provider's own tools
    (``AWS_ACCESS_KEY_ID`` …); their names here are those in lower case. A bucket is not contacted before it is used;
    a folder must be there, unless ``make_folder``.
    """
    return _native.open_storage(url, credentials=credentials, make_folder=make_folder)


class EngineOptions(TypedDict, total=False):
    """Settings of an :class:`Engine`."""

    signer: FileKey | Signer | None
    """Who signs; backups need one, restores do not."""
    catalog: Path
    """The file that remembers jobs and audit chains, made if absent; in memory unless given."""
    spool_dir: Path
    """Folder for temporary files; the system's unless given."""
    worker: str
    """Name of this worker, unique for each process."""
    attempts: int
    """How often a backup is tried before it fails for good; 3 unless given."""
    backoff_seconds: float
    """Pause after the first failed attempt; doubles with each further one. 2 unless given."""
    client_dirs: Sequence[str | Path]
    """Folders with ``pg_dump`` and ``pg_restore``, looked into before ``PATH``."""
    patience_seconds: float
    """A call of an own signer or storage that takes longer fails the job; 60 unless given."""


class BackupOptions(TypedDict, total=False):
    """What to back up and how. Schemas and tables are patterns as ``pg_dump`` takes them."""

    jobs: int
    """Over how many connections tables are read; 1 unless given."""
    compression: str
    """``zstd``, ``gzip``, ``lz4`` or ``none``, the first two with a level as in ``zstd:9``."""
    roles: bool
    """Whether roles and tablespaces are stored beside the dump."""
    no_owner: bool
    no_privileges: bool
    schemas: Sequence[str]
    exclude_schemas: Sequence[str]
    tables: Sequence[str]
    exclude_tables: Sequence[str]
    exclude_table_data: Sequence[str]
    """These tables without their rows."""
    lock_timeout_seconds: int
    """How long to wait for a table that someone holds exclusively; for ever unless given."""
    on_event: Listener
    """Is told what the job does, on a thread of the engine; what it raises is reported and stops nothing."""


class RestoreOptions(TypedDict, total=False):
    """What to restore, and how."""

    public_keys: Sequence[str]
    """Keys that are trusted, SPKI PEM; one of them must have signed the manifest."""
    created_database: str
    """``new_database`` only: the new database's name, if not the source's."""
    confirm_destructive: bool
    """``in_place`` only: present contents may be dropped."""
    from_destination: bool
    """Whether it is read from the database's own destination, where the rows that tell of this restore are then copied."""
    no_owner: bool
    no_privileges: bool
    tables: Sequence[tuple[str | None, str]]
    """These tables alone, as schema (None for any) and name."""
    schemas: Sequence[str]
    """These schemas alone."""
    scope: Literal["all", "schema_only", "data_only"]
    jobs: int
    """How many connections to the target may be used; 1 unless given."""
    check: Literal["none", "counts", "digests"]
    """How closely restored tables are compared with the backup's index; ``counts`` unless given."""
    spooling: Literal["where_needed", "always", "never"]
    """Whether the dump is copied into a private file first."""


class Engine:
    """Backs up, restores and exports evidence. Each method has a twin for event loops that ends in ``_async``; a cancelled
    task stops the job, which records that first.
    """

    def __init__(self, org_id: str, **options: Unpack[EngineOptions]) -> None:
        """Opens an engine for the backups of one organisation."""
        self._engine = _native.Engine(org_id, **options)

    def backup(
        self, database_id: str, source: str, to: Destination | Storage, **options: Unpack[BackupOptions]
    ) -> Sealed:
        """Backs a database up; returns when dump and manifest are stored, read back and recorded.

        ``database_id`` names the chain and the folder in the destination. ``source`` is a connection string; what it leaves
        out, the password above all, is taken from libpq's environment variables.
        """
        return wait(self._engine.backup(database_id, source, to, **options))

    async def backup_async(
        self, database_id: str, source: str, to: Destination | Storage, **options: Unpack[BackupOptions]
    ) -> Sealed:
        """:meth:`backup` for event loops."""
        return await wait_async(self._engine.backup(database_id, source, to, **options))

    def plan_restore(
        self,
        manifest_sha256: str,
        storage: Destination | Storage,
        target: str,
        mode: Literal["new_database", "in_place"],
        **options: Unpack[RestoreOptions],
    ) -> Plan:
        """Finds and checks the manifest, looks at the target, and says what :meth:`restore` would do. Changes nothing."""
        return wait(self._engine.plan_restore(manifest_sha256, storage, target, mode, **options))

    async def plan_restore_async(
        self,
        manifest_sha256: str,
        storage: Destination | Storage,
        target: str,
        mode: Literal["new_database", "in_place"],
        **options: Unpack[RestoreOptions],
    ) -> Plan:
        """:meth:`plan_restore` for event loops."""
        return await wait_async(self._engine.plan_restore(manifest_sha256, storage, target, mode, **options))

    def restore(self, plan: Plan, *, on_event: Listener | None = None) -> Restored:
        """Does what was planned; every byte is verified before it reaches the target."""
        return wait(self._engine.restore(plan, on_event=on_event))

    async def restore_async(self, plan: Plan, *, on_event: Listener | None = None) -> Restored:
        """:meth:`restore` for event loops."""
        return await wait_async(self._engine.restore(plan, on_event=on_event))

    def export_evidence(
        self,
        database_id: str,
        storages: Sequence[Destination | Storage],
        out: Path,
        *,
        artifacts: bool = False,
        allow_missing: bool = False,
    ) -> Exported:
        """Writes a bundle of a database's evidence into a new file. ``artifacts`` puts the dumps into it, too."""
        return wait(self._export(database_id, storages, out, artifacts, allow_missing))

    async def export_evidence_async(
        self,
        database_id: str,
        storages: Sequence[Destination | Storage],
        out: Path,
        *,
        artifacts: bool = False,
        allow_missing: bool = False,
    ) -> Exported:
        """:meth:`export_evidence` for event loops."""
        return await wait_async(self._export(database_id, storages, out, artifacts, allow_missing))

    def _export(
        self,
        database_id: str,
        storages: Sequence[Destination | Storage],
        out: Path,
        artifacts: bool,
        allow_missing: bool,
    ) -> Job[Exported]:
        return self._engine.export_evidence(
            database_id, storages, out, artifacts=artifacts, allow_missing=allow_missing
        )

    def rebuild_catalog(
        self,
        storage: Destination | Storage,
        *,
        public_keys: Sequence[str],
        database_id: str | None = None,
        accept_uncovered: bool = False,
    ) -> list[Rebuilt]:
        """Enters the chains of a storage that the catalogue does not have, for one that was lost; of ``database_id`` alone if it
        is given. A chain counts as far as one of ``public_keys`` signed its checkpoints; further rows are refused
        (``chain-uncovered``) unless ``accept_uncovered``.
        """
        return wait(self._rebuild(storage, public_keys, database_id, accept_uncovered))

    async def rebuild_catalog_async(
        self,
        storage: Destination | Storage,
        *,
        public_keys: Sequence[str],
        database_id: str | None = None,
        accept_uncovered: bool = False,
    ) -> list[Rebuilt]:
        """:meth:`rebuild_catalog` for event loops."""
        return await wait_async(self._rebuild(storage, public_keys, database_id, accept_uncovered))

    def _rebuild(
        self,
        storage: Destination | Storage,
        public_keys: Sequence[str],
        database_id: str | None,
        accept_uncovered: bool,
    ) -> Job[list[Rebuilt]]:
        return self._engine.rebuild_catalog(
            storage, public_keys=public_keys, database_id=database_id, accept_uncovered=accept_uncovered
        )

    def rows(self, database_id: str, first_seq: int = 1, limit: int = 1000) -> list[bytes]:
        """Rows of the database's audit chain from ``first_seq`` on, each in its own canonical JSON bytes."""
        return wait(self._engine.rows(database_id, first_seq, limit))

    async def rows_async(self, database_id: str, first_seq: int = 1, limit: int = 1000) -> list[bytes]:
        """:meth:`rows` for event loops."""
        return await wait_async(self._engine.rows(database_id, first_seq, limit))
