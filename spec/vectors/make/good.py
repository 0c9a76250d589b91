"""Bundles that must be accepted, harmless variations included."""

import dataclasses

from . import note, pack
from .bundle import (archive, bundle, checkpoint, checkpoint_body, content, envelope, origin, seal, statement)  # fmt: skip
from .cases import WITNESSES
from .history import History
from .jcs import MAX_INTEGER, canonical
from .keys import ALPHA, BETA, GAMMA, MALLORY, WEAK_PEM
from .stories import drilled, first, indexed, last, organisation, pair, rotated, small


def add(cases):
    histories(cases)
    documents(cases)
    containers(cases)
    optional_files(cases)
    signatures(cases)
    pins(cases)
    levels(cases)


def histories(cases):
    good = cases.good
    good("one-backup", bundle(small()), "The smallest bundle with a completed backup.")
    good("two-backups", bundle(pair()), "Two completed backups in one chain.")
    good("genesis-only", bundle(History("bare")), "A chain with no completed backup can still reach level 2.")
    good("organisation-chain", bundle(organisation()), "The organisation's own chain: databaseId is null, no backups.")
    good("rotated", bundle(rotated()), "Two backups, one before and one after a key rotation.")
    good("drill-passed", bundle(drilled()), "A passed drill with its receipt.")

    history = History("cancelled")
    for kinds in (["queued"], ["queued", "claimed"], ["queued", "claimed", "running"]):
        job = history.begin(f"cancelled after {kinds[-1]}", kinds)
        history.add("backup.cancelled", job=job)
    history.backup("done")
    good("backups-cancelled", bundle(history), "A backup may be cancelled from every state before it completes.")

    history = History("retried")
    job = history.begin("retried", ["queued", "claimed", "running"])
    history.add("backup.failed", {"class": "storage-unavailable", "retryable": True, "attempt": 1}, job=job)
    for kind in ("queued", "claimed", "running", "finalizing"):
        history.add(f"backup.{kind}", job=job)
    history.complete(job, "retried")
    good("backup-retried", bundle(history), "A retryable failure, then the same job queued again and completed.")

    history = small()
    job = history.begin("waiting", ["queued"])
    history.add("backup.failed", {"class": "worker-lost", "retryable": True, "attempt": 1}, job=job)
    good("backup-retry-pending", bundle(history), "Nothing follows a retryable failure yet.")
    history = small()
    for end in (["queued"], ["queued", "claimed"], ["queued", "claimed", "running", "finalizing"]):
        history.add("backup.failed", {"class": "dump-failed", "retryable": False, "attempt": 1},
                    job=history.begin(f"failed after {end[-1]}", end))  # fmt: skip
    good("backups-failed", bundle(history), "Failures that end the job, from several states.")

    history = small()
    history.begin("running", ["queued", "claimed", "running"])
    good("backup-unfinished", bundle(history), "The last job is still running.")

    history = pair()
    job = first(history)
    history.add("backup.pruned", {"manifestSha256": history.manifest_hash(job), "policy": "keep-last-1"}, job=job)
    good("backup-pruned", bundle(history), "A pruned backup keeps its manifest in the bundle.")

    history = History("interleaved")
    one, two = history.begin("one", ["queued"]), history.begin("two", ["queued"])
    for kind in ("claimed", "running", "finalizing"):
        history.add(f"backup.{kind}", job=two)
        history.add(f"backup.{kind}", job=one)
    history.complete(two, "two")
    history.complete(one, "one")
    good("backups-interleaved", bundle(history), "Two jobs take turns; each keeps its own order.")

    history = small()
    for label, end, token in [("a", "completed", True), ("b", "failed", True), ("c", "timed_out", False)]:
        history.restore(label, first(history), end, token)
    history.add("restore.token_rejected", {"reason": "expired"})
    good("restores", bundle(history), "Restores that complete, fail and time out; one came through an API key, without token.")

    history = drilled()
    job = first(history)

    def differ(receipt):
        receipt["tables"][0]["actualRows"] = "2"
        receipt["outcome"] = "failed"

    history.drill("two", of=job, end="failed", edit=differ)
    job = history.new_id("drill early")
    history.add("drill.queued", job=job)
    history.add("drill.failed", {"class": "target-unreachable", "receiptSha256": None}, job=job)
    good("drills-failed", bundle(history), "A drill that failed with a receipt, and one that failed before there was any.")

    history = small()
    job = first(history)
    history.add("schedule.changed", {"cron": "0 2 * * *"})
    history.add("schedule.missed", {"dueAt": "2026-11-21T02:00:00.000Z"})
    history.add("hold.placed", {"manifestSha256": history.manifest_hash(job), "reason": "case 7"})
    history.add("hold.released", {"manifestSha256": history.manifest_hash(job)})
    history.add("key.added", {"keyId": GAMMA.id})
    history.add("checkpoint.published", {"size": len(history.rows)})
    good("kinds-without-job", bundle(history), "Schedule, hold, key and checkpoint rows, with further payload fields.")

    history = small()
    history.add("schedule.changed", at=history.rows[-1]["at"])
    good("same-millisecond", bundle(history), "Two rows of the same time: time did not run backwards.")
    history = History("midnight", start="2026-12-31T23:59:57.000Z")
    history.backup("over midnight")
    good("queued-before-midnight", bundle(history), "The folder's day is the day of queuing, also when the dump ends a year later.")


def documents(cases):
    good = cases.good
    history = small()
    history.add("schedule.changed", {"low": -MAX_INTEGER, "high": MAX_INTEGER, "zero": 0})
    good("largest-integers", bundle(history), "The ends of the range of integers.")
    history = small()
    deep = []
    for _ in range(60):
        deep = [deep]
    history.add("schedule.changed", {"deep": deep})
    good("nesting-at-limit", bundle(history), "64 nested containers: array, row, payload and 61 arrays.")
    history = History("texts")
    name = "caf\u00e9 cafe\u0301 \u202etxt.exe\u202c \U0001f512 \"quoted\\\" \u0001\b\f\n\r\t/\u0080\u2028"
    history.backup("first", databaseName=name)
    good("unusual-characters", bundle(history), "Any Unicode text but U+007F may be a database name; a report escapes it.", attack="A13")
    history = History("writers-word")
    history.backup("first", queuedAt="2026-11-21T00:00:00.000Z", startedAt="2026-11-21T00:00:00.000Z",
                   finishedAt="2026-11-22T00:00:00.000Z")  # fmt: skip
    good("times-of-the-writer", bundle(history), "Times in documents are the writer's word; only their own order is checked.")
    history = History("encrypted")

    def encrypt(manifest):
        manifest["artifactKey"] += ".age"
        manifest["encryption"] = {"scheme": "age-v1", "recipients": ["age1exampleexample"], "plaintextSha256": "ab" * 32,
                                  "plaintextSizeBytes": 380}  # fmt: skip

    history.backup("first", edit=encrypt, compression="none")
    good("encrypted", bundle(history), "An encrypted artifact ends in .dump.age.")
    history = History("globals")

    def name_globals(manifest):
        stem = manifest["artifactKey"].removesuffix(".dump")
        manifest["globals"] = {"key": f"{stem}.globals.sql", "sizeBytes": 0, "checksumSha256": "e3" * 32}

    history.backup("first", edit=name_globals, compression="zstd", snapshotLsn=None)
    good("globals-named", bundle(history), "Globals are named and not part of the bundle; there is no snapshot LSN.")
    history = History("empty-index")
    history.backup("first", index=True, edit_index=lambda index: index["entries"].clear(),
                   contentRoot="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")  # fmt: skip
    good("index-without-tables", bundle(history), "The root over no table at all is the SHA-256 of nothing.")
    history = History("anchor-at-queued")

    def anchor_early(manifest):
        row = history.rows[1]
        manifest["auditAnchor"] |= {"seq": 2, "hash": row["hash"]}

    history.backup("first", edit=anchor_early)
    good("anchor-at-queued", bundle(history), "The earliest anchor is the row that queued the job.")


def containers(cases):
    good = cases.good
    history = small()
    files = seal(history, content(history))
    members = pack.members(files)
    again = lambda **changes: pack.gzip(pack.tar([dataclasses.replace(one, **changes) for one in members]))  # noqa: E731
    good("tar-reversed", pack.gzip(pack.tar(members[::-1])), "The order of tar entries does not matter.")
    good("tar-mode", again(mode=0o400), "Modes do not matter.")
    good("tar-owner", again(uid=1000, gid=100, uname=b"ada", gname=b"users"), "Owners do not matter.")
    good("tar-mtime", again(mtime=1795226789), "Times of tar entries do not matter.")
    good("tar-more-end-blocks", pack.gzip(pack.tar(members, 20)), "More than two end blocks, as tar programs write.")
    good("gzip-stored", pack.gzip(pack.tar(members), pack.stored(pack.tar(members))), "Deflate without compression.")
    good("gzip-mtime", pack.gzip(pack.tar(members), mtime=1795226789, os=3), "Time and system of the gzip header do not matter.")
    good("gzip-name", pack.gzip(pack.tar(members), flags=8, extra=b"bundle.tar\0"), "A file name in the gzip header does not matter.")


def optional_files(cases):
    good = cases.good
    history = indexed()
    good("index-included", bundle(history), "The archive index is included.")
    good("index-left-out", bundle(history, indexes=[]), "The archive index may be left out.")
    good("artifact-included", bundle(history, artifacts=[first(history)]), "Artifact and index are included and agree.")
    good("readme-changed", bundle(small(), readme=b"FAIL: do not trust this.\n"), "What README.txt says does not matter.")
    good("readme-left-out", bundle(small(), readme=False), "README.txt may be left out.")
    good("hints-left-out", bundle(small(), hints=[]), "keys/ may be left out when the pin brings the key.")
    history = small()
    files = content(history)
    files |= {f"keys/{MALLORY.hex}.pem": b"not a key\n", f"keys/{'0' * 64}.pem": WEAK_PEM.encode()}
    good("hints-useless", archive(seal(history, files)), "Hints that are no key, or a weak one, hint at nothing.", attack="A21")
    files = content(small(), hints=[MALLORY, ALPHA])
    good("hint-of-a-stranger", archive(seal(small(), files)), "A hint for a key that nobody names is ignored.", attack="A21")


def signatures(cases):
    good = cases.good
    history = small()
    payload = canonical(statement(history, content(history)))
    both = envelope(payload, MALLORY, ALPHA)
    files = content(history) | {"bundle.json": canonical(both)}
    good("envelope-two-signatures", archive(files), "One signature, anywhere in the list, is by the chain's key.")
    plain = envelope(payload, ALPHA)
    del plain["signatures"][0]["keyid"]
    good("envelope-without-keyid", archive(content(history) | {"bundle.json": canonical(plain)}), "keyid may be absent.")
    plain["signatures"][0]["keyid"] = MALLORY.id
    good("envelope-other-keyid", archive(content(history) | {"bundle.json": canonical(plain)}), "keyid is a hint only.", attack="A15")
    text = checkpoint_body(history)
    stranger = note.signature_line("stranger.example/log", MALLORY, text)
    data = bundle(history, checkpoint_bytes=checkpoint(history, more_lines=[stranger]))
    good("checkpoint-unknown-signature", data, "Signatures by unknown keys are ignored.")
    same_name = note.signature_line(origin(history), MALLORY, text)
    data = bundle(history, checkpoint_bytes=checkpoint(history, more_lines=[same_name]))
    good("checkpoint-same-name-other-key", data, "A key is known by name and key id, so a stranger under the origin's name is ignored.")
    data = bundle(history, predicate={"createdAt": "2030-01-01T00:00:00.000Z"})
    good("created-later", data, "createdAt may be any time not before the last row.")


def pins(cases):
    good = cases.good
    history = rotated()
    data = bundle(history)
    good("rotated-newest-pinned", data, "The newest key is pinned; trust follows the rotation back.", pins=[BETA], file="rotated")
    good("several-pins", data, "A pin counts if it is any key of the chain.", pins=[MALLORY, ALPHA], file="rotated")
    cases.keep("keys/alpha-and-mallory.pub.pem", (MALLORY.pem + "\nsome words between\n" + ALPHA.pem).encode())
    good("two-keys-in-one-file", data, "A key file may hold several keys and words between them.", file="rotated",
         pubkeys=["keys/alpha-and-mallory.pub.pem"])  # fmt: skip
    good("fingerprint-with-hint", bundle(small()), "The pin is a fingerprint; keys/ supplies the bytes.", pins=[],
         fingerprints=[ALPHA.id], file="one-backup")  # fmt: skip
    good("fingerprint-of-newest", data, "The newest key's bytes come from the rotation row.", pins=[],
         fingerprints=[BETA.id], file="rotated")  # fmt: skip
    history.rotate(GAMMA)
    history.wait(60).backup("under gamma")
    data = bundle(history)
    for name, pin in [("first", ALPHA), ("middle", BETA), ("last", GAMMA)]:
        good(f"two-rotations-{name}-pinned", data, f"Two rotations; the {name} key is pinned.", pins=[pin], file="two-rotations")
    good("rotated-hint-from-pin", bundle(rotated(), hints=[]), "Without keys/, the pin brings the old key and the row the new one.")
    history = rotated()
    history.add("key.revoked", {"keyId": ALPHA.id, "reason": "retired"})
    history.backup("after")
    good("old-key-revoked", bundle(history), "What a key signed before it was revoked stays good.", attack="A23")
    history = organisation()
    history.rotate(BETA)
    good("organisation-rotated-last", bundle(history), "A rotation is the last row: the new key signs checkpoint and bundle.")
    history = History("rotated-in-job")
    job = history.begin("across", ["queued", "claimed"])
    history.rotate(BETA)
    history.add("backup.running", job=job)
    history.add("backup.finalizing", job=job)
    history.complete(job, "across")
    good("rotation-within-job", bundle(history), "A rotation in mid-job: the manifest is judged by the key at its anchor.", attack="A23")


def levels(cases):
    good = cases.good
    data = bundle(pair())
    good("level-0-asked", data, "A lower level is asked than is reached.", asked=0, file="two-backups")
    good("level-1-asked", data, "A lower level is asked than is reached.", asked=1, file="two-backups")
    history = pair()
    text = checkpoint_body(history)
    lines = [note.cosignature_line(name, witness, text, 1795230000) for name, witness in WITNESSES.items()]
    vkeys = [note.vkey(name, witness.raw, 4) for name, witness in WITNESSES.items()]
    data = bundle(history, checkpoint_bytes=checkpoint(history, more_lines=lines))
    good("witnessed", data, "All witnesses cosigned the checkpoint.", level=3, asked=3, witnesses=vkeys)
    good("witnessed-unasked", data, "Level 2 is asked of a cosigned checkpoint whose witnesses are unknown.", file="witnessed")
    one = bundle(history, checkpoint_bytes=checkpoint(history, more_lines=lines[:1]))
    good("witnessed-by-one", one, "One known witness cosigned.", level=3, asked=3, witnesses=vkeys[:1])
    for name, size in [("genesis", 1), ("six", 6), ("head", len(history.rows))]:
        kept = cases.keep(f"kept/pair-{size}.checkpoint", checkpoint(history, size))
        good(f"kept-{name}", bundle(history), f"The chain begins as the kept checkpoint of size {size} says.", level=4, asked=4,
             kept=kept, file="two-backups")  # fmt: skip
    history = rotated()
    kept = cases.keep("kept/rotated-6.checkpoint", checkpoint(history, 6, key=ALPHA))
    good("kept-before-rotation", bundle(history), "The kept checkpoint is signed by the chain's key at its size.", level=4,
         asked=4, kept=kept, pins=[BETA], file="rotated")  # fmt: skip
    drills = drilled()
    last(drills)
    good("drill-artifact-included", bundle(drills, artifacts=[first(drills)]), "Receipt and artifact in one bundle.")
