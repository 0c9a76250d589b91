"""Walks the rows of a chain once: links, hashes, times, state machines and keys. For the second verifier."""

import hashlib

from .forms import DATABASE_ONLY, NEEDS_JOB, ORGANISATION_ONLY
from .reader import base64_bytes, canonical, pem_keys
from .signatures import good_signature, key_id

ZEROS = "0" * 64
ACTIVE = ["queued", "claimed", "running", "finalizing"]
BACKUP = {
    None: {"queued"},
    "queued": {"claimed"},
    "claimed": {"running"},
    "running": {"finalizing"},
    "finalizing": {"completed"},
    "completed": {"pruned"},
    "failed-retryable": {"queued"},
}
for state in ACTIVE:
    BACKUP[state] = BACKUP[state] | {"failed", "cancelled"}


def in_order(states, breaks, last):
    """A machine that walks `states` once and may leave for one of `breaks` after any but the last."""
    steps = {None: {states[0]}}
    for here, there in zip(states, states[1:] + [None], strict=True):
        steps[here] = ({there} if there else set()) | breaks
    steps[last] = set()
    return steps


RESTORE = in_order(
    ["triggered", "claimed", "downloading", "verifying", "manifest_verified", "restoring", "finalizing", "completed"],
    {"failed", "timed_out"},
    "completed",
)
DRILL = in_order(["queued", "started", "restored", "checked", "passed"], {"failed"}, "passed")
MACHINES = {"backup": BACKUP, "restore": RESTORE, "drill": DRILL}


class Chain:
    def __init__(self):
        self.key_changes = []  # (seq from which it holds, key id)
        self.revoked = {}  # key id -> seq of its key.revoked row
        self.queued = {}  # job that is under way -> the place of its first backup.queued row
        self.completed = {}  # job -> places of the rows that queued and completed it

    def key_at(self, seq):
        return [name for start, name in self.key_changes if start <= max(seq, 1)][-1]


def replay(verifier):
    chain, rows, demand = Chain(), verifier.rows, verifier.demand
    chain.key_changes.append((1, verifier.genesis["keyId"]))
    prev_hash, prev_at, jobs, completed, gaps, last = ZEROS, "", {}, {}, False, 0
    for row in rows:
        # A key is known throughout, also where the row with its bytes comes after one that it signed.
        if row["kind"] == "key.rotated":
            raw = new_key(row["payload"])
            verifier.keys.setdefault(key_id(raw), raw)
    for number, row in enumerate(rows, 1):
        if verifier.part:
            number = row["seq"]
            if number != last + 1:
                gaps, prev_hash = True, row["prevHash"]
        last = number
        kind, family, seq, payload = row["kind"], row["kind"].split(".")[0], row["seq"], row["payload"]
        demand(seq == number, "chain-seq", f"row {number} says {seq}")
        demand(row["prevHash"] == prev_hash, "chain-link", f"seq {seq}")
        body = canonical({name: row[name] for name in ("at", "jobId", "kind", "payload")})
        digest = hashlib.sha256(row["prevHash"].encode() + body).hexdigest()
        demand(row["hash"] == digest, "chain-hash", f"seq {seq}")
        demand(row["at"] >= prev_at, "chain-time", f"seq {seq}")
        demand((kind == "chain.genesis") == (number == 1), "chain-genesis", f"seq {seq}")
        wrong = ORGANISATION_ONLY if verifier.genesis["databaseId"] else DATABASE_ONLY
        demand(family not in wrong, "chain-subject", f"seq {seq} {kind}")
        demand(chain.revoked.get(chain.key_at(number)) is None, "key-revoked", f"seq {seq} follows a revocation")
        if kind in NEEDS_JOB:
            follow(verifier, jobs, row)
        if kind == "backup.queued":
            chain.queued.setdefault(row["jobId"], number)
        elif kind == "backup.completed":
            chain.completed[row["jobId"]] = (chain.queued.pop(row["jobId"], number), number)
            completed[row["jobId"]] = payload["manifestSha256"]
        elif kind == "backup.pruned":
            demand(completed.get(row["jobId"]) == payload["manifestSha256"], "prune-manifest", f"seq {seq}")
        elif kind == "restore.token_issued":
            demand(gaps or payload["manifestSha256"] in completed.values(), "restore-token", f"seq {seq}")
        elif kind == "key.revoked":
            chain.revoked.setdefault(payload["keyId"], number)
        elif kind == "key.rotated":
            rotate(verifier, chain, number, payload)
        prev_hash, prev_at = row["hash"], row["at"]
    return chain


def follow(verifier, jobs, row):
    family, step = row["kind"].split(".")
    known, state = jobs.get(row["jobId"], (family, None))
    allowed = MACHINES[family].get(state, set()) if known == family else set()
    verifier.demand(step in allowed, "job-order", f"seq {row['seq']}: {row['kind']} after {known}.{state}")
    if row["kind"] == "backup.failed" and row["payload"]["retryable"]:
        step = "failed-retryable"
    jobs[row["jobId"]] = (family, step)


def new_key(payload):
    (raw,) = pem_keys(payload["newPublicKey"].encode())
    return raw


def rotate(verifier, chain, number, payload):
    old, new = payload["oldKeyId"], payload["newKeyId"]
    body = {"type": "walwarden.key-rotation", "chainId": verifier.genesis["chainId"], "seq": number, "oldKeyId": old,
            "newKeyId": new}  # fmt: skip
    message = canonical(body)
    new_raw = new_key(payload)
    good = old == chain.key_at(number) and key_id(new_raw) == new
    good = good and good_signature(new_raw, base64_bytes(payload["newSignature"][8:]), message)
    if old in verifier.keys:
        good = good and good_signature(verifier.keys[old], base64_bytes(payload["oldSignature"][8:]), message)
    else:
        verifier.fail("key-unavailable", old)
    verifier.demand(good, "key-rotation", f"seq {number}")
    verifier.demand(new not in chain.revoked, "key-revoked", f"seq {number} rotates to a revoked key")
    chain.key_changes.append((number, new))
