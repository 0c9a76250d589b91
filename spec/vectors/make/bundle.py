"""Puts a history into an evidence bundle. Every step can be left out or replaced, for attacks."""

import base64

from . import note, pack
from .history import sha256, time_text
from .jcs import canonical
from .merkle import root

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://walwarden.dev/evidence-bundle/v1"


def pae(payload, payload_type=PAYLOAD_TYPE):
    """Pre-authentication encoding of DSSE version 1."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def envelope(payload, *signers, payload_type=PAYLOAD_TYPE):
    signatures = [
        {"keyid": key.id, "sig": base64.b64encode(key.sign(pae(payload, payload_type))).decode()} for key in signers
    ]
    return {"payload": base64.b64encode(payload).decode(), "payloadType": payload_type, "signatures": signatures}


def origin(history):
    return f"walwarden/{history.org}/{history.chain_id}"


def checkpoint(history, size=None, key=None, more_lines=()):
    size = len(history.rows) if size is None else size
    tree = root([canonical(row) for row in history.rows[:size]])
    return note.checkpoint(origin(history), size, tree, key or history.key, more_lines)


def checkpoint_body(history):
    tree = root([canonical(row) for row in history.rows])
    return note.body(origin(history), len(history.rows), tree)


def content(history, readme=None, hints=None, artifacts=(), indexes=None, checkpoint_bytes=None, timestamp=None):
    """Every file of the bundle but bundle.json."""
    files = {"audit_events.json": canonical(history.rows), "checkpoint": checkpoint_bytes or checkpoint(history)}
    if timestamp is not None:
        files["checkpoint.tsr"] = timestamp
    for job, backup in history.backups.items():
        files[f"backups/{job}/manifest.json"] = canonical(backup.manifest)
        if backup.index and (indexes is None or job in indexes):
            files[f"backups/{job}/index.json"] = canonical(backup.index)
        if job in artifacts:
            files[f"backups/{job}/artifact.dump"] = backup.artifact
    for job, receipt in history.receipts.items():
        files[f"drills/{job}/receipt.json"] = canonical(receipt)
    for key in history.named_keys if hints is None else hints:
        files[f"keys/{key.hex}.pem"] = key.pem.encode()
    if readme is not False:
        files["README.txt"] = readme or b"See spec/evidence.md.\n"
    return files


def statement(history, files, **predicate):
    subjects = [{"name": name, "digest": {"sha256": sha256(files[name])}} for name in sorted(files, key=str.encode)]
    completed = sum(row["kind"] == "backup.completed" for row in history.rows)
    facts = {"orgId": history.org, "databaseId": history.database, "chainId": history.chain_id, "firstSeq": 1,
             "lastSeq": len(history.rows), "backups": completed, "createdAt": time_text(history.now)}  # fmt: skip
    return {"_type": STATEMENT_TYPE, "subject": subjects, "predicateType": PREDICATE_TYPE,
            "predicate": facts | predicate}  # fmt: skip


def seal(history, files, *signers, **predicate):
    """Adds bundle.json to the files."""
    payload = canonical(statement(history, files, **predicate))
    return files | {"bundle.json": canonical(envelope(payload, *(signers or [history.key])))}


def archive(files):
    return pack.gzip(pack.tar(pack.members(files)))


def bundle(history, *signers, predicate=None, **options):
    """The whole bundle of a history, as an honest writer makes it."""
    return archive(seal(history, content(history, **options), *signers, **(predicate or {})))
