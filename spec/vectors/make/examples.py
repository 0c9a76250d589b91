"""The worked examples of the pages: name -> text, all from the same stories as the vectors."""

import base64
import hashlib
import json

from . import note
from .bundle import checkpoint, origin, pae, seal, content, statement
from .history import archive_index, content_root, rows_digest, sha256
from .jcs import canonical
from .keys import ALPHA, BETA
from .merkle import leaf_hash, root
from .note import vkey
from .cases import WITNESSES
from .stories import drilled, first, indexed, rotated, small


def examples():
    history = indexed()
    job = first(history)
    backup = history.backups[job]
    manifest = backup.manifest
    unsigned = canonical({name: value for name, value in manifest.items() if name != "signature"})
    plain = small()
    genesis, queued = plain.rows[:2]
    body = canonical({name: queued[name] for name in ("at", "jobId", "kind", "payload")})
    rotation = next(row for row in rotated().rows if row["kind"] == "key.rotated")
    rotation_body = {"type": "walwarden.key-rotation", "chainId": rotated().chain_id, "seq": rotation["seq"]}
    rotation_body |= {name: rotation["payload"][name] for name in ("oldKeyId", "newKeyId")}
    leaves = [canonical(row) for row in plain.rows]
    files = content(plain)
    payload = canonical(statement(plain, files))
    entry = next(entry for entry in backup.index["entries"] if entry["desc"] == "TABLE DATA")
    receipt = next(iter(drilled().receipts.values()))
    assert backup.index == archive_index(job, backup.artifact) and content_root(backup.index) == manifest["contentRoot"]
    name, witness = next(iter(WITNESSES.items()))
    return {
        "alpha-public-pem": ALPHA.pem.strip(),
        "alpha-raw": ALPHA.raw.hex(),
        "alpha-seed": ALPHA.seed.hex(),
        "alpha-key-id": ALPHA.id,
        "beta-key-id": BETA.id,
        "manifest": text(canonical(manifest)),
        "manifest-pretty": json.dumps(manifest, indent=2, ensure_ascii=False),
        "manifest-hash": sha256(canonical(manifest)),
        "manifest-signed-bytes": f"{len(unsigned)} bytes, SHA-256 {sha256(unsigned)}",
        "genesis-row": text(canonical(genesis)),
        "queued-row": text(canonical(queued)),
        "queued-hash-input": queued["prevHash"] + text(body),
        "queued-hash": queued["hash"],
        "rotation-body": text(canonical(rotation_body)),
        "rotation-row": text(canonical(rotation)),
        "leaf-hashes": "\n".join(f"{seq} {leaf_hash(leaf).hex()}" for seq, leaf in enumerate(leaves, 1)),
        "tree-root": root(leaves).hex(),
        "checkpoint": text(checkpoint(plain)).rstrip("\n"),
        "alpha-vkey": vkey(origin(plain), ALPHA.raw),
        "note-key-id": note.note_key_id(origin(plain), ALPHA.raw).hex(),
        "witness-vkey": vkey(name, witness.raw, 4),
        "statement": text(payload),
        "pae-head": text(pae(payload)[:48]),
        "envelope-signature": json.loads(seal(plain, files)["bundle.json"])["signatures"][0]["sig"],
        "bundle-files": "\n".join(sorted(seal(plain, files))),
        "index-entry": text(canonical(entry)),
        "content-root": manifest["contentRoot"],
        "rows-digest": rows_digest([b"1\tAda\t12.50", b"2\tGrace\t7.00", b"3\t\\N\t0.25"]),
        "row-digests": "\n".join(hashlib.sha256(line).hexdigest() for line in [b"1\tAda\t12.50", b"2\tGrace\t7.00", b"3\t\\N\t0.25"]),
        "empty-root": root([]).hex(),
        "artifact-key": manifest["artifactKey"],
        "index-key": manifest["index"]["key"],
        "receipt-pretty": json.dumps(receipt, indent=2, ensure_ascii=False),
        "receipt-hash": sha256(canonical(receipt)),
        "signature-bytes": base64.b64decode(manifest["signature"][8:]).hex(),
    }  # fmt: skip


def text(data):
    return data.decode()
