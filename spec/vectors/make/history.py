"""A made-up history of one database or organisation: its rows and the documents they announce."""

import base64
import copy
import datetime
import hashlib

from .jcs import canonical
from .keys import ALPHA
from .merkle import root

GENESIS_HASH = "0" * 64
CHUNK_SIZE = 8388608


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def parse_time(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def time_text(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def uuid7(moment, label):
    """A UUIDv7 (RFC 9562 section 5.7) whose random bits come from a label."""
    millis = int(moment.timestamp() * 1000)
    raw = bytearray(millis.to_bytes(6, "big") + hashlib.sha256(label.encode()).digest()[:10])
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def stream(label, size):
    """Reproducible bytes that do not compress."""
    out = b""
    while len(out) < size:
        out += hashlib.sha256(f"{label} {len(out)}".encode()).digest()
    return out[:size]


def row_hash(prev_hash, row):
    body = {name: row[name] for name in ("at", "jobId", "kind", "payload")}
    return sha256(prev_hash.encode() + canonical(body))


def link(rows):
    """Gives every row its seq, prevHash and hash anew, in place."""
    prev_hash = GENESIS_HASH
    for seq, row in enumerate(rows, 1):
        row.update(seq=seq, prevHash=prev_hash)
        prev_hash = row["hash"] = row_hash(prev_hash, row)
    return rows


def rows_digest(lines):
    """Sum modulo 2^256 of the SHA-256 of each COPY line without its newline."""
    total = sum(int.from_bytes(hashlib.sha256(line).digest(), "big") for line in lines)
    return f"{total % 2**256:064x}"


def sign(document, key):
    """Sets `signature` over the canonical form of the document without it."""
    document.pop("signature", None)
    document["signature"] = key.sign_text(canonical(document))
    return document


class Backup:
    """What one backup left behind; `manifest` is signed last so that changes can be made before."""

    def __init__(self, job, artifact, index):
        self.job, self.artifact, self.index = job, artifact, index
        self.manifest = None


TABLES = {
    ("public", "orders"): [b"1\tAda\t12.50", b"2\tGrace\t7.00", b"3\t\\N\t0.25"],
    ("public", "empty"): [],
}


def archive_index(job, artifact, tables=TABLES):
    entries = [
        {"dumpId": 5, "section": "pre-data", "desc": "TABLE", "schema": "public", "name": "orders", "owner": "shop",
         "offset": None, "length": None, "blockSha256": None, "rawBytes": None, "rowCount": None, "rowsDigest": None},
    ]  # fmt: skip
    offset = 200
    for number, ((schema, name), lines) in enumerate(tables.items(), 3400):
        length = 100
        raw = sum(len(line) + 1 for line in lines)
        entries.append(
            {"dumpId": number, "section": "data", "desc": "TABLE DATA", "schema": schema, "name": name, "owner": "shop",
             "offset": offset, "length": length, "blockSha256": sha256(artifact[offset : offset + length]),
             "rawBytes": str(raw), "rowCount": str(len(lines)), "rowsDigest": rows_digest(lines)}
        )  # fmt: skip
        offset += length
    chunks = [sha256(artifact[at : at + CHUNK_SIZE]) for at in range(0, len(artifact), CHUNK_SIZE)]
    return {
        "type": "walwarden.archive-index", "formatVersion": 1, "jobId": job, "archiveVersion": "1.16.0",
        "tocSizeBytes": 200, "chunkSizeBytes": CHUNK_SIZE, "chunks": chunks, "entries": entries,
    }  # fmt: skip


def content_root(index):
    leaves = [canonical(entry) for entry in index["entries"] if entry["desc"] == "TABLE DATA"]
    return root(leaves).hex()


class History:
    def __init__(self, label="main", org="acme", database="orders", key=ALPHA, start="2026-11-21T02:00:00.000Z"):
        self.label, self.org, self.database = label, org, database
        self.now = parse_time(start)
        self.chain_id = self.new_id("chain")
        self.key = key
        self.named_keys = [key]
        self.rows = []
        self.backups = {}
        self.receipts = {}
        genesis = {"chainId": self.chain_id, "orgId": org, "databaseId": database, "formatVersion": 1, "keyId": key.id}
        self.add("chain.genesis", genesis)

    def clone(self):
        return copy.deepcopy(self)

    def __deepcopy__(self, memo):
        # Keys are shared: they never change and hold handles that cannot be copied.
        twin = object.__new__(type(self))
        for name, value in vars(self).items():
            shared = name in ("key", "named_keys")
            setattr(twin, name, list(value) if name == "named_keys" else value if shared else copy.deepcopy(value, memo))
        return twin

    def wait(self, seconds):
        self.now += datetime.timedelta(seconds=seconds)
        return self

    def new_id(self, label):
        return uuid7(self.now, f"{self.label} {label}")

    def add(self, kind, payload=None, job=None, at=None):
        self.wait(1)
        prev = self.rows[-1]["hash"] if self.rows else GENESIS_HASH
        row = {"at": at or time_text(self.now), "jobId": job, "kind": kind, "payload": payload or {}}
        row.update(seq=len(self.rows) + 1, prevHash=prev, hash=row_hash(prev, row))
        self.rows.append(row)
        return row

    # Backups

    def begin(self, label, kinds=("queued", "claimed", "running", "finalizing")):
        job = self.new_id(f"backup {label}")
        for kind in kinds:
            self.add(f"backup.{kind}", job=job)
        return job

    def manifest(self, job, artifact, index=None, **changes):
        """An unsigned manifest anchored at the head."""
        rows = [row for row in self.rows if row["jobId"] == job]
        queued = rows[0]["at"]
        folder = f"org/{self.org}/db/{self.database}/backup/{queued[:10].replace('-', '/')}/{job}"
        stored_index = canonical(index) if index else None
        anchor = self.rows[-1]
        document = {
            "type": "walwarden.backup-manifest", "formatVersion": 1,
            "orgId": self.org, "databaseId": self.database, "jobId": job, "databaseName": "orders",
            "backupKind": "logical", "queuedAt": queued, "startedAt": rows[1]["at"], "finishedAt": anchor["at"],
            "serverVersion": "17.11", "dumpVersion": "17.11", "snapshotLsn": "0/1A2B3C8",
            "artifactKey": f"{folder}.dump", "sizeBytes": len(artifact), "checksumSha256": sha256(artifact),
            "compression": "gzip", "encryption": None,
            "index": {"key": f"{folder}.index.json", "sizeBytes": len(stored_index),
                      "checksumSha256": sha256(stored_index)} if index else None,
            "globals": None, "contentRoot": content_root(index) if index else None,
            "auditAnchor": {"chainId": self.chain_id, "seq": anchor["seq"], "hash": anchor["hash"]},
            "signer": {"alg": "ed25519", "keyId": self.key.id},
        }  # fmt: skip
        return document | changes

    def complete(self, job, label, index=False, edit=None, artifact=None, by=None, edit_index=None, **changes):
        """Signs the manifest (after `edit` had its way with it) and announces it."""
        artifact = artifact or b"PGDMP\x01\x10\x00" + stream(f"{self.label} {label} artifact", 392)
        backup = self.backups[job] = Backup(job, artifact, archive_index(job, artifact) if index else None)
        if edit_index:
            edit_index(backup.index)
        backup.manifest = self.manifest(job, artifact, backup.index, **changes)
        if edit:
            edit(backup.manifest)
        sign(backup.manifest, by or self.key)
        self.add("backup.completed", self.completed_payload(backup), job=job)
        return job

    @staticmethod
    def completed_payload(backup):
        manifest = backup.manifest
        return {"manifestSha256": sha256(canonical(manifest)), "checksumSha256": manifest["checksumSha256"],
                "sizeBytes": manifest["sizeBytes"]}  # fmt: skip

    def backup(self, label, **options):
        return self.complete(self.begin(label), label, **options)

    def manifest_hash(self, job):
        return sha256(canonical(self.backups[job].manifest))

    # Restores and drills

    def restore(self, label, of, end="completed", token=True):
        if token:
            payload = {"tokenId": self.new_id(f"token {label}"), "manifestSha256": self.manifest_hash(of),
                       "mode": "new_database"}  # fmt: skip
            self.add("restore.token_issued", payload)
        job = self.new_id(f"restore {label}")
        for kind in ["triggered", "claimed", "downloading", "verifying", "manifest_verified", "restoring", "finalizing"]:
            self.add(f"restore.{kind}", job=job)
        if end == "failed":
            self.add("restore.failed", {"class": "restore-failed", "retryable": False}, job=job)
        else:
            self.add(f"restore.{end}", job=job)
        return job

    def receipt(self, job, of, started, **changes):
        tables = []
        for (schema, name), lines in TABLES.items():
            count, digest = str(len(lines)), rows_digest(lines)
            tables.append({"schema": schema, "name": name, "expectedRows": count, "actualRows": count,
                           "expectedDigest": digest, "actualDigest": digest})  # fmt: skip
        return {
            "type": "walwarden.drill-receipt", "formatVersion": 1, "orgId": self.org, "databaseId": self.database,
            "jobId": job, "manifestSha256": self.manifest_hash(of), "startedAt": started,
            "finishedAt": time_text(self.now), "targetVersion": "17.11",
            "phases": [{"name": "download", "durationMs": 812}, {"name": "restore", "durationMs": 4105}],
            "tables": tables,
            "checks": [{"name": "row-counts", "outcome": "passed", "detail": "2 of 2 tables"},
                       {"name": "application-query", "outcome": "not_run", "detail": "none configured"}],
            "outcome": "passed", "signer": {"alg": "ed25519", "keyId": self.key.id},
        } | changes  # fmt: skip

    def drill(self, label, of, edit=None, by=None, end="passed", **changes):
        job = self.new_id(f"drill {label}")
        started = self.add("drill.queued", job=job)["at"]
        for kind in ("started", "restored", "checked"):
            self.add(f"drill.{kind}", job=job)
        receipt = self.receipt(job, of, started, **changes)
        if edit:
            edit(receipt)
        sign(receipt, by or self.key)
        self.receipts[job] = receipt
        payload = {"receiptSha256": sha256(canonical(receipt))}
        self.add(f"drill.{end}", payload if end == "passed" else {"class": "content-mismatch"} | payload, job=job)
        return job

    # Keys

    def rotation(self, new, seq=None, old=None, **changes):
        seq, old = seq or len(self.rows) + 1, old or self.key
        body = {"type": "walwarden.key-rotation", "chainId": self.chain_id, "seq": seq, "oldKeyId": old.id,
                "newKeyId": new.id}  # fmt: skip
        body |= changes
        message = canonical(body)
        return {"oldKeyId": old.id, "newKeyId": new.id, "newPublicKey": new.pem,
                "oldSignature": old.sign_text(message), "newSignature": new.sign_text(message)}  # fmt: skip

    def rotate(self, new, edit=None):
        payload = self.rotation(new)
        if edit:
            edit(payload)
        self.add("key.rotated", payload)
        self.key = new
        self.named_keys.append(new)
        return self

    def relink(self):
        link(self.rows)
        return self


def decode_signature(text):
    return base64.b64decode(text.removeprefix("ed25519:"))
