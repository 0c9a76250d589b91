"""Attacks on rows, links, job order. Unless told otherwise the key holder signed the result."""

import re

from .bundle import archive, bundle, content, seal
from .history import History, row_hash, sha256
from .jcs import canonical
from .keys import ALPHA, MALLORY
from .stories import drilled, first, last, organisation, pair, small


def add(cases):
    order_and_links(cases)
    rows_as_text(cases)
    kinds_and_payloads(cases)
    backups(cases)
    restores_and_drills(cases)


def edited(history, edit, relink=False):
    """The bundle after an edit of the rows, which the key holder then signs."""
    edit(history.rows)
    return bundle(history.relink() if relink else history)


def order_and_links(cases):
    bad = cases.bad

    def cut_without_key(history, rows):
        files = content(history)
        sealed = seal(history, files)
        return archive(sealed | {"audit_events.json": canonical(rows)})

    history = pair()
    bad("tail-cut-after-signing", cut_without_key(history, history.rows[:6]), 1, "statement-files checkpoint-size",
        "The last events were cut off after checkpoint and index were signed.", attack="A1")  # fmt: skip
    bad("rows-emptied-after-signing", cut_without_key(history, []), 1, "chain-genesis",
        "All events were removed after signing.", attack="A2")  # fmt: skip
    empty = history.clone()
    empty.rows, empty.backups = [], {}
    bad("rows-empty-signed", bundle(empty), 1, "chain-genesis", "An empty chain with everything signed over it.", attack="A2")
    headless = history.clone()
    headless.rows = headless.rows[1:]
    for seq, row in enumerate(headless.rows, 1):
        row["seq"] = seq
    bad("head-cut-renumbered", bundle(headless), 1, "chain-genesis",
        "The first event was cut and the rest renumbered: seq is not hashed.", attack="A3")  # fmt: skip
    headless = history.clone()
    headless.rows = headless.rows[1:]
    bad("head-cut", bundle(headless), 1, "chain-genesis", "The first event was cut.", attack="A3")
    headless = history.clone()
    headless.rows = headless.rows[1:]
    bad("head-cut-relinked", bundle(headless.relink()), 1, "chain-genesis", "The first event was cut, the rest hashed anew.", attack="A3")
    rewritten = history.clone()
    rewritten.rows[7]["at"] = rewritten.rows[6]["at"]
    sealed = seal(history, content(history))
    bad("rewritten-without-key", archive(sealed | {"audit_events.json": canonical(rewritten.relink().rows)}), 1,
        "statement-files checkpoint-root manifest-anchor", "The chain was hashed anew by someone without the key.", attack="A4")  # fmt: skip
    bad("rewritten-manifests-kept", bundle(rewritten), 1, "manifest-anchor",
        "The key holder rewrote the chain but not the manifest, which carries the old head.", attack="A4")  # fmt: skip

    bad("seq-gap", edited(pair(), lambda rows: [row.update(seq=row["seq"] + 1) for row in rows[6:]]), 1, "chain-seq",
        "A number is left out.", attack="A8")  # fmt: skip
    bad("seq-twice", edited(pair(), lambda rows: [row.update(seq=row["seq"] - 1) for row in rows[6:]]), 1, "chain-seq",
        "Two rows have one number: two writers took the same seq.", attack="A31")  # fmt: skip
    bad("rows-swapped", edited(pair(), lambda rows: rows.insert(7, rows.pop(8))), 1, "chain-seq chain-link",
        "Two rows changed places.")  # fmt: skip
    bad("row-twice", edited(pair(), lambda rows: rows.insert(7, dict(rows[6]))), 1, "chain-seq chain-link", "One row stands twice.")
    fork = pair()
    twin = dict(fork.rows[-1], jobId=first(fork))
    twin["hash"] = row_hash(twin["prevHash"], twin)
    fork.rows.append(twin)
    bad("fork", bundle(fork), 1, "chain-seq chain-link", "Two rows follow the same row.", attack="A31")
    bad("hash-of-other-row", edited(small(), lambda rows: rows[-1].update(hash=rows[-2]["hash"])), 1, "chain-hash",
        "The last row carries another row's hash.")  # fmt: skip
    bad("payload-changed-hash-kept", edited(small(), lambda rows: rows[-1]["payload"].update(sizeBytes=399)), 1, "chain-hash",
        "A payload was changed and its hash was not.")  # fmt: skip
    bad("genesis-prev-not-zero", edited(small(), prev_not_zero), 1, "chain-link", "The first prevHash is not 64 zeros.", attack="A9")
    bad("prev-hash-raw", edited(small(), hash_over_raw), 1, "chain-hash",
        "Hashes were computed over prevHash as 32 raw bytes instead of 64 hex digits.", attack="A9")  # fmt: skip

    def second_genesis(rows):
        rows.append(dict(rows[0]))

    bad("genesis-twice", edited(small(), second_genesis, True), 1, "chain-genesis", "A second genesis row.")
    bad("time-backwards", edited(organisation(), lambda rows: rows[2].update(at="2026-11-20T00:00:00.000Z"), True), 1,
        "chain-time", "A row is earlier than the one before.", attack="A24")  # fmt: skip
    history = organisation()
    history.add("backup.queued", job=history.new_id("job"))
    bad("backup-in-organisation-chain", bundle(history), 1, "chain-subject", "A backup stands in the organisation's chain.", attack="A18")
    for kind in ("member.invited", "token.issued", "destination.verified"):
        history = small()
        history.add(kind)
        bad(f"{kind.replace('.', '-')}-in-database-chain", bundle(history), 1, "chain-subject",
            "A kind of the organisation's chain stands in a database's.", attack="A18")  # fmt: skip
    history = organisation()
    history.add("schedule.changed")
    bad("schedule-in-organisation-chain", bundle(history), 1, "chain-subject", "A database's kind in the organisation's chain.", attack="A18")


def prev_not_zero(rows):
    previous = "f" * 64
    for row in rows:
        row["prevHash"] = previous
        previous = row["hash"] = row_hash(previous, row)


def hash_over_raw(rows):
    previous = "0" * 64
    for row in rows:
        row["prevHash"] = previous
        body = canonical({name: row[name] for name in ("at", "jobId", "kind", "payload")})
        previous = row["hash"] = sha256(bytes.fromhex(previous) + body)


def text_changed(history, edit):
    """The bundle whose audit_events.json was edited as bytes, then listed and signed."""
    files = content(history)
    files["audit_events.json"] = edit(files["audit_events.json"])
    return archive(seal(history, files))


def rows_as_text(cases):
    def bad(name, edit, why, attack=None, history=None):
        history = history or small()
        data = text_changed(history, edit)
        cases.bad(name, data, 3, "chain-form", why, attack=attack)

    replace = lambda old, new, count=1: lambda data: swap(data, old, new, count)  # noqa: E731
    bad("rows-trailing-newline", lambda data: data + b"\n", "A newline after the array.")
    bad("rows-byte-order-mark", lambda data: b"\xef\xbb\xbf" + data, "A byte-order mark.", "A13")
    bad("rows-empty-file", lambda data: b"", "audit_events.json has no bytes.", "A2")
    bad("rows-pretty-printed", replace(b'":', b'": ', -1), "Blanks between the tokens.")
    bad("rows-not-array", lambda data: b'{"rows":' + data + b"}", "An object instead of an array.")
    bad("rows-as-lines", lambda data: data[1:-1].replace(b'},{"at"', b'}\n{"at"') + b"\n", "JSON lines instead of one array.")
    bad("row-duplicate-key", replace(b'"seq":1', b'"seq":2,"seq":1'), "A key stands twice.", "A11")
    bad("row-duplicate-key-escaped", replace(b'"seq":1', b'"seq":1,"\\u0073eq":1'), "A key stands twice, once in escapes.", "A11")
    bad("payload-duplicate-key", replace(b'"sizeBytes":400', b'"sizeBytes":1,"sizeBytes":400'), "A payload has a key twice.", "A11")
    bad("row-keys-unsorted", replace(b'"kind":"backup.queued","payload":{}', b'"payload":{},"kind":"backup.queued"'), "Keys out of order.")
    bad("row-escape-needless", replace(b"backup.queued", b"\\u0062ackup.queued"), "An escape where none is needed.", "A13")
    bad("row-unknown-field", replace(b'"seq":1', b'"reviewed":true,"seq":1'), "A field that rows do not have.", "A8")
    bad("row-field-missing", replace(b'"jobId":null,', b""), "A row without jobId.", "A9")
    bad("row-number-float", replace(b'"seq":1}', b'"seq":1.0}'), "1.0 instead of 1.", "A12")
    bad("row-number-exponent", replace(b'"sizeBytes":400', b'"sizeBytes":4e2'), "4e2 instead of 400.", "A12")
    bad("row-number-minus-zero", replace(b'"formatVersion":1', b'"extra":-0,"formatVersion":1'), "Minus zero.", "A12")
    bad("row-number-above-2-53", replace(b'"sizeBytes":400', b'"sizeBytes":9007199254740993'), "A number that a double cannot hold.", "A12")
    bad("row-number-at-2-53", replace(b'"formatVersion":1', b'"extra":9007199254740992,"formatVersion":1'), "2^53 is one too many.", "A12")
    bad("row-number-fraction", replace(b'"formatVersion":1', b'"extra":0.5,"formatVersion":1'), "A fraction, though canonical.", "A12")
    bad("row-number-leading-zero", replace(b'"sizeBytes":400', b'"sizeBytes":0400'), "A leading zero.", "A12")
    bad("row-nan", replace(b'"sizeBytes":400', b'"sizeBytes":NaN'), "NaN is not JSON.", "A14")
    bad("row-lone-surrogate", replace(b'"databaseId":"orders"', b'"databaseId":"orders","extra":"\\ud800"'), "Half a surrogate pair.", "A13")
    bad("row-invalid-utf8", replace(b'"databaseId":"orders"', b'"databaseId":"orders","extra":"\xff"'), "A byte that is not UTF-8.", "A13")
    bad("row-overlong-utf8", replace(b'"databaseId":"orders"', b'"databaseId":"orders","extra":"\xc0\xaf"'), "A slash in two bytes.", "A13")
    bad("row-control-character", replace(b'"databaseId":"orders"', b'"databaseId":"orders","extra":"\x01"'), "A control character not escaped.", "A13")
    bad("row-delete-character", replace(b'"databaseId":"orders"', b'"databaseId":"orders","extra":"\x7f"'), "U+007F, which jq escapes and RFC 8785 does not.", "A14")
    bad("row-key-not-ascii", replace(b'"formatVersion":1', '"\u00e9":1,"formatVersion":1'.encode()), "A key outside ASCII.", "A13")
    bad("row-hash-upper-case", lambda data: re.sub(rb'"hash":"(\w+)"', lambda m: b'"hash":"' + m[1].upper() + b'"', data, count=1), "Upper-case hex.", "A9")
    bad("row-hash-short", lambda data: re.sub(rb'"hash":"(\w{63})\w"', rb'"hash":"\1"', data, count=1), "63 digits.", "A9")
    bad("genesis-prev-null", replace(b'"prevHash":"' + b"0" * 64 + b'"', b'"prevHash":null'), "prevHash null instead of zeros.", "A9")
    bad("genesis-prev-empty", replace(b'"prevHash":"' + b"0" * 64 + b'"', b'"prevHash":""'), "prevHash empty instead of zeros.", "A9")
    bad("row-time-without-fraction", lambda data: re.sub(rb'"at":"([^."]+)\.\d{3}Z', rb'"at":"\1Z', data, count=1), "A time without its three digits.", "A24")
    bad("row-time-with-offset", lambda data: re.sub(rb'"at":"([^"]+)Z"', rb'"at":"\1+00:00"', data, count=1), "An offset instead of Z.", "A24")
    bad("row-time-impossible", replace(b'"at":"2026-11-21', b'"at":"2026-02-30'), "A day that does not exist.", "A24")
    bad("row-seq-text", replace(b'"seq":1}', b'"seq":"1"}'), "seq as text.", "A12")
    bad("row-seq-null", replace(b'"seq":1}', b'"seq":null}'), "seq null.", "A8")


def swap(data, old, new, count=1):
    assert old in data, old
    return data.replace(old, new, count)


def kinds_and_payloads(cases):
    def bad(name, kind, payload, why, job=False, history=None, attack=None):
        history = history or small()
        history.add(kind, payload, job=history.new_id(name) if job is True else job or None)
        cases.bad(name, bundle(history), 3, "chain-form", why, attack=attack)

    digest = "ab" * 32
    bad("kind-unknown", "backup.blessed", {}, "A kind outside the closed list.", job=True)
    bad("kind-upper-case", "Backup.queued", {}, "Kinds are lower case.", job=True)
    bad("kind-without-job-carries-one", "checkpoint.published", {}, "A kind without a state machine carries null.", job=True)
    bad("token-row-carries-job", "restore.token_rejected", {"reason": "expired"}, "Token rows carry null.", job=True)
    bad("job-kind-carries-null", "backup.queued", {}, "A row of a job names it.")
    bad("job-id-upper-case", "backup.queued", {}, "Ids are lower case.", job=small().new_id("x").upper(), attack="A13")
    bad("job-id-version-4", "backup.queued", {}, "A UUID of version 4.", job="3f2b8c1e-5d6a-4b7c-8d9e-0a1b2c3d4e5f")
    bad("failed-without-class", "backup.failed", {"retryable": False, "attempt": 1}, "A required field is missing.", job=True)
    bad("failed-retryable-text", "backup.failed", {"class": "x", "retryable": "false", "attempt": 1}, "retryable as text.", job=True)
    bad("failed-attempt-zero", "backup.failed", {"class": "x", "retryable": False, "attempt": 0}, "attempt counts from 1.", job=True)
    bad("completed-size-text", "backup.completed", {"manifestSha256": digest, "checksumSha256": digest, "sizeBytes": "400"},
        "sizeBytes is a number.", job=True, attack="A12")  # fmt: skip
    bad("completed-without-manifest", "backup.completed", {"checksumSha256": digest, "sizeBytes": 400},
        "A completed backup names its manifest.", job=True)  # fmt: skip
    bad("token-mode-unknown", "restore.token_issued", {"tokenId": small().new_id("t"), "manifestSha256": digest, "mode": "merge"},
        "A mode that does not exist.")  # fmt: skip
    bad("token-id-not-uuid", "restore.token_issued", {"tokenId": "t-1", "manifestSha256": digest, "mode": "in_place"}, "tokenId is a UUIDv7.")
    bad("hold-without-manifest", "hold.placed", {"reason": "case 7"}, "A hold names its backup.")
    bad("revoked-without-reason", "key.revoked", {"keyId": MALLORY.id}, "A revocation gives its reason.")
    bad("key-id-bare-hex", "key.added", {"keyId": ALPHA.hex}, "A key id begins with sha256:.")
    bad("rotation-without-key", "key.rotated", {"oldKeyId": ALPHA.id, "newKeyId": MALLORY.id}, "A rotation carries key and signatures.")
    history = small()
    history.rows[-1]["payload"] = []
    cases.bad("payload-array", bundle(history.relink()), 3, "chain-form", "A payload is an object.")
    deep = []
    for _ in range(61):
        deep = [deep]
    history = small()
    history.add("schedule.changed", {"deep": deep})
    cases.bad("nesting-over-limit", bundle(history), 3, "", "65 nested containers.", attack="A30")
    history = small()
    history.rows[0]["payload"]["formatVersion"] = 2
    cases.bad("genesis-version-2", bundle(history.relink()), 3, "chain-form", "A format version this page does not describe.")
    history = History("odd", org="Acme")
    cases.bad("org-id-upper-case", bundle(history), 3, "chain-form", "An organisation id in upper case.", attack="A13")
    history = History("odd", org="acm\u0435")
    cases.bad("org-id-confusable", bundle(history), 3, "chain-form", "A Cyrillic letter that looks like an e.", attack="A13")


def backups(cases):
    def bad(name, history, why, attack="A25"):
        cases.bad(name, bundle(history), 1, "job-order", why, attack=attack)

    wrong = {
        "completed-without-running": ["queued", "claimed", "finalizing"],
        "running-before-claimed": ["queued", "running", "claimed", "finalizing"],
        "queued-twice": ["queued", "queued", "claimed", "running", "finalizing"],
        "claimed-twice": ["queued", "claimed", "claimed", "running", "finalizing"],
        "never-queued": ["claimed", "running", "finalizing"],
    }
    for name, kinds in wrong.items():
        history = small()
        job = history.begin(name, kinds)
        history.complete(job, name)
        bad(f"backup-{name}", history, f"The job went through: {', '.join(kinds)}, completed.")
    failure = {"class": "dump-failed", "retryable": False, "attempt": 1}
    history = small()
    history.add("backup.failed", failure, job=first(history))
    bad("backup-failed-after-completed", history, "Two ends of one job.")
    history = small()
    history.add("backup.cancelled", job=first(history))
    bad("backup-cancelled-after-completed", history, "Two ends of one job.")
    history = small()
    history.add("backup.queued", job=first(history))
    bad("backup-queued-after-completed", history, "A finished job begins again.")
    history = small()
    history.add("backup.completed", History.completed_payload(history.backups[first(history)]), job=first(history))
    bad("backup-completed-twice", history, "One job completes twice.")
    for name, payload, following in [
        ("queued-after-final-failure", failure, "queued"),
        ("running-after-retryable-failure", failure | {"retryable": True}, "running"),
        ("cancelled-after-retryable-failure", failure | {"retryable": True}, "cancelled"),
        ("failed-after-failed", failure, "failed"),
    ]:
        history = small()
        job = history.begin(name, ["queued", "claimed", "running"])
        history.add("backup.failed", payload, job=job)
        history.add(f"backup.{following}", failure if following == "failed" else {}, job=job)
        bad(f"backup-{name}", history, f"{following} after a failure that does not allow it.")
    history = small()
    job = history.begin("cancelled", ["queued"])
    history.add("backup.cancelled", job=job)
    history.add("backup.claimed", job=job)
    bad("backup-claimed-after-cancelled", history, "A cancelled job goes on.")
    for name, kind, payload, again in [
        ("goes-on-after-cancelled", "cancelled", {}, ["claimed", "running", "finalizing"]),
        ("queued-anew-after-cancelled", "cancelled", {}, ["queued", "claimed", "running", "finalizing"]),
        ("goes-on-after-final-failure", "failed", failure, ["claimed", "running", "finalizing"]),
    ]:
        history = small()
        job = history.begin(name, ["queued"])
        end = history.add(f"backup.{kind}", payload, job=job)
        for step in again:
            history.add(f"backup.{step}", job=job)
        anchor = {"chainId": history.chain_id, "seq": end["seq"], "hash": end["hash"]}
        history.complete(job, name, auditAnchor=anchor)
        bad(f"backup-{name}-and-completes", history, "The manifest's anchor lies between its first queued row and its completed row all the same.")
    history = small()
    history.add("restore.triggered", job=first(history))
    bad("job-of-two-kinds", history, "A backup's job id becomes a restore's.")

    def pruned(history, job, digest):
        history.add("backup.pruned", {"manifestSha256": digest, "policy": "keep-last-1"}, job=job)
        return history

    history = pair()
    job, other = first(history), last(history)
    digest = history.manifest_hash(job)
    bad("pruned-twice", pruned(pruned(pair(), job, digest), job, digest), "One backup is pruned twice.")
    history = small()
    bad("pruned-before-completed", pruned(history, history.begin("x"), "ab" * 32), "A backup is pruned that never completed.")
    cases.bad("pruned-other-manifest", bundle(pruned(pair(), other, digest)), 1, "prune-manifest",
              "A pruned row names another backup's manifest.", attack="A16")  # fmt: skip


def restores_and_drills(cases):
    def bad(name, history, why):
        cases.bad(name, bundle(history), 1, "job-order", why, attack="A25")

    def job_with(family, *kinds):
        history = small()
        job = history.new_id("odd")
        for kind in kinds:
            history.add(f"{family}.{kind}", {"class": "x", "retryable": False} if kind == "failed" else {}, job=job)
        return history

    bad("restore-verified-before-downloading", job_with("restore", "triggered", "claimed", "manifest_verified"),
        "A dump is verified before it was fetched.")  # fmt: skip
    bad("restore-restoring-unverified", job_with("restore", "triggered", "claimed", "downloading", "verifying", "restoring"),
        "pg_restore ran on bytes that were not verified.")  # fmt: skip
    bad("restore-claimed-untriggered", job_with("restore", "claimed"), "A restore begins in the middle.")
    bad("restore-goes-on-after-failure", job_with("restore", "triggered", "failed", "triggered"), "A retry is a new job.")
    bad("restore-goes-on-after-timeout", job_with("restore", "triggered", "timed_out", "claimed"), "A timed-out job goes on.")
    bad("drill-checked-before-restored", job_with("drill", "queued", "started", "checked"), "A drill checks before it restores.")
    history = drilled()
    row = history.rows[-1]
    history.add("drill.passed", row["payload"], job=row["jobId"])
    bad("drill-passed-twice", history, "One drill passes twice.")
    history = drilled()
    history.rows.pop(-2)
    bad("drill-passed-unchecked", history.relink(), "A drill passes without its checks.")

    history = small()
    history.add("restore.token_issued", {"tokenId": history.new_id("t"), "manifestSha256": "ab" * 32, "mode": "in_place"})
    cases.bad("token-for-unknown-manifest", bundle(history), 1, "restore-token", "A token names a manifest the chain does not know.", attack="A16")
    history = History("early-token")
    job = history.begin("first")
    row = history.add("restore.token_issued", {"tokenId": history.new_id("t"), "manifestSha256": "0" * 64, "mode": "in_place"})
    history.complete(job, "first", auditAnchor={"chainId": history.chain_id, "seq": 5, "hash": history.rows[4]["hash"]})
    row["payload"]["manifestSha256"] = history.manifest_hash(job)
    cases.bad("token-before-completed", bundle(history.relink()), 1, "restore-token",
              "A token is issued for a backup that completes only later.", attack="A25")  # fmt: skip
