"""Attacks on manifests, indexes, artifacts and receipts."""

import base64

from . import keys
from .bundle import archive, bundle, content, seal
from .history import CHUNK_SIZE, History, decode_signature, rows_digest, sha256
from .jcs import canonical
from .keys import ALPHA, MALLORY
from .stories import drilled, first, indexed, last, pair, small


def add(cases):
    manifest_meaning(cases)
    manifest_form(cases)
    missing_and_swapped(cases)
    indexes(cases)
    receipts(cases)


def one_backup(edit=None, **options):
    history = History("odd")
    history.backup("first", edit=edit, **options)
    return history


def manifest_meaning(cases):
    def bad(name, codes, why, edit=None, attack=None, **options):
        cases.bad(name, bundle(one_backup(edit, **options)), 1, codes, why, attack=attack)

    def field(*path, value):
        def edit(manifest):
            *parents, leaf = path
            for parent in parents:
                manifest = manifest[parent]
            manifest[leaf] = value(manifest[leaf]) if callable(value) else value

        return edit

    bad("manifest-other-org", "manifest-subject", "A manifest of another organisation, same key.", field("orgId", value="other"), "A18")
    bad("manifest-other-database", "manifest-subject", "A manifest of another database, same key.", field("databaseId", value="other"), "A18")
    bad("manifest-other-job", "manifest-job", "A manifest that names another job.", field("jobId", value=small().new_id("x")), "A16")
    bad("manifest-other-day", "manifest-layout", "The artifact lies under another day.",
        field("artifactKey", value=lambda key: key.replace("/2026/11/21/", "/2026/11/20/")))  # fmt: skip
    bad("manifest-artifact-of-other-database", "manifest-layout", "The artifact lies under another database.",
        field("artifactKey", value=lambda key: key.replace("/orders/", "/other/")), "A18")  # fmt: skip
    bad("manifest-artifact-outside", "manifest-layout", "The artifact's key climbs out.", field("artifactKey", value="../../x.dump"), "A28")
    bad("manifest-age-without-encryption", "manifest-layout", ".dump.age without encryption.", field("artifactKey", value=lambda key: key + ".age"))
    bad("manifest-encryption-without-age", "manifest-layout", "Encryption without .dump.age.",
        field("encryption", value={"scheme": "age-v1", "recipients": ["age1x"], "plaintextSha256": "ab" * 32, "plaintextSizeBytes": 1}))  # fmt: skip
    bad("manifest-globals-of-other-job", "manifest-layout", "The globals are another job's.",
        field("globals", value={"key": "org/acme/db/orders/backup/2026/11/21/x.globals.sql", "sizeBytes": 1, "checksumSha256": "ab" * 32}))  # fmt: skip
    bad("manifest-started-before-queued", "manifest-times", "startedAt before queuedAt.", field("startedAt", value="2026-11-20T00:00:00.000Z"), "A24")
    bad("manifest-finished-before-started", "manifest-times", "finishedAt before startedAt.",
        field("finishedAt", value="2026-11-21T02:00:02.500Z"), "A24")  # fmt: skip
    bad("manifest-root-without-index", "manifest-content-root", "contentRoot without index.", field("contentRoot", value="ab" * 32))
    bad("manifest-index-without-root", "manifest-content-root", "An index without contentRoot.", field("contentRoot", value=None), index=True)
    bad("anchor-other-hash", "manifest-anchor", "The anchor is no row of this chain.", field("auditAnchor", "hash", value="ab" * 32), "A4")
    bad("anchor-other-chain", "manifest-anchor", "The anchor is in another chain.", field("auditAnchor", "chainId", value=small().new_id("x")), "A18")
    bad("anchor-beyond-end", "manifest-anchor", "The anchor lies behind the chain's end.", field("auditAnchor", "seq", value=99), "A4")
    bad("anchor-before-queued", "manifest-anchor", "The anchor lies before the job was queued.", anchor_at_genesis, "A23")
    bad("manifest-signer-not-chain-key", "manifest-signer", "The signer is not the chain's key.",
        field("signer", "keyId", value=MALLORY.id), "A21", by=MALLORY)  # fmt: skip
    bad("manifest-signer-renamed", "manifest-signer", "keyId was changed before signing.", field("signer", "keyId", value=MALLORY.id), "A15")
    bad("manifest-forged", "manifest-signature", "A stranger signs under the chain's key id.", None, "A21", by=MALLORY)

    def resigned(name, edit, why, attack="A22"):
        history = one_backup()
        edit(history.backups[first(history)].manifest)
        history.rows[-1]["payload"] = history.completed_payload(history.backups[first(history)])
        cases.bad(name, bundle(history.relink()), 1, "manifest-signature", why, attack=attack)

    def set_signature(change):
        def edit(manifest):
            signature = change(decode_signature(manifest["signature"]))
            manifest["signature"] = "ed25519:" + base64.b64encode(signature).decode()

        return edit

    resigned("manifest-changed-after-signing", field("serverVersion", value="18.0"), "A field was changed after signing.", None)
    resigned("manifest-signature-zero", set_signature(lambda _: bytes(64)), "A signature of zeros.")
    resigned("manifest-signature-malleable", set_signature(keys.malleable), "S is not reduced: RFC 8032 refuses it.")
    resigned("manifest-signature-bit-flipped", set_signature(lambda s: s[:5] + bytes([s[5] ^ 1]) + s[6:]), "One bit of R is flipped.")
    resigned("manifest-signature-low-order-r", set_signature(lambda s: keys.WEAK_RAW + s[32:]), "R is the neutral element.")
    resigned("manifest-signature-of-receipt-type", lambda manifest: manifest.update(signature=ALPHA.sign_text(
        canonical({name: value for name, value in manifest.items() if name != "signature"} | {"type": "walwarden.drill-receipt"}))),
        "A signature made over the same fields under another type.", "A10")  # fmt: skip


def anchor_at_genesis(manifest):
    row = History("odd").rows[0]
    manifest["auditAnchor"] |= {"seq": 1, "hash": row["hash"]}


def raw_manifest(edit):
    """The bundle whose manifest was edited as bytes; its digest is announced and everything is signed anew."""
    history = one_backup()
    job = first(history)
    data = edit(canonical(history.backups[job].manifest))
    history.rows[-1]["payload"]["manifestSha256"] = sha256(data)
    history.relink()
    files = content(history) | {f"backups/{job}/manifest.json": data}
    return archive(seal(history, files))


def manifest_form(cases):
    def raw(name, old, new, why, attack=None):
        def edit(data):
            assert old in data, old
            return data.replace(old, new, 1)

        cases.bad(name, raw_manifest(edit), 3, "manifest-form", why, attack=attack)

    def field(name, why, attack=None, **changes):
        cases.bad(name, bundle(one_backup(**changes)), 3, "manifest-form", why, attack=attack)

    cases.bad("manifest-trailing-newline", raw_manifest(lambda data: data + b"\n"), 3, "manifest-form", "A newline after the object.")
    cases.bad("manifest-byte-order-mark", raw_manifest(lambda data: b"\xef\xbb\xbf" + data), 3, "manifest-form", "A byte-order mark.", attack="A13")
    cases.bad("manifest-empty", raw_manifest(lambda data: b""), 3, "manifest-form", "No bytes at all.", attack="A2")
    cases.bad("manifest-array", raw_manifest(lambda data: b"[" + data + b"]"), 3, "manifest-form", "An array around the object.")
    cases.bad("manifest-two-documents", raw_manifest(lambda data: data + data), 3, "manifest-form", "Two objects in one file.", attack="A11")
    raw("manifest-duplicate-key", b'"sizeBytes":400', b'"sizeBytes":1,"sizeBytes":400', "A key stands twice.", "A11")
    raw("manifest-duplicate-key-escaped", b'"sizeBytes":400', b'"sizeBytes":400,"size\\u0042ytes":1', "A key stands twice, once in escapes.", "A11")
    raw("manifest-duplicate-key-nested", b'"alg":"ed25519"', b'"alg":"none","alg":"ed25519"', "A nested key stands twice.", "A11")
    raw("manifest-blank", b'"alg": "ed25519"'.replace(b" ", b""), b'"alg": "ed25519"', "A blank between tokens.")
    raw("manifest-number-float", b'"sizeBytes":400', b'"sizeBytes":400.0', "400.0 instead of 400.", "A12")
    raw("manifest-number-huge", b'"sizeBytes":400', b'"sizeBytes":18446744073709551615', "A number that a double cannot hold.", "A12")
    raw("manifest-number-negative", b'"sizeBytes":400', b'"sizeBytes":-400', "A negative size.", "A12")
    raw("manifest-slash-escaped", b"org/acme", b"org\\/acme", "An escaped slash.", "A13")
    raw("manifest-escape-upper-case", b'"databaseName":"orders"', b'"databaseName":"\\u001F"', "Upper-case hex in an escape.", "A13")
    field("manifest-version-2", "A version these pages do not describe.", formatVersion=2)
    field("manifest-version-text", "The version as text.", formatVersion="1", attack="A12")
    field("manifest-type-receipt", "Another document's type.", type="walwarden.drill-receipt", attack="A10")
    field("manifest-unknown-field", "A field that manifests do not have.", reviewed=True, attack="A8")
    field("manifest-backup-kind-base", "Version 1 refuses kinds other than logical.", backupKind="base")
    field("manifest-compression-unknown", "A compression outside the list.", compression="brotli")
    field("manifest-size-text", "sizeBytes is a number.", sizeBytes="400", attack="A12")
    field("manifest-checksum-upper-case", "Upper-case hex.", checksumSha256="AB" * 32, attack="A9")
    field("manifest-snapshot-number", "An LSN is text or null.", snapshotLsn=123, attack="A12")
    field("manifest-database-name-null", "databaseName is text.", databaseName=None)
    field("manifest-time-two-digits", "A time with two fractional digits.", finishedAt="2026-11-21T02:06:29.12Z", attack="A24")
    field("manifest-time-leap-second", "Seconds go to 59.", finishedAt="2026-11-21T02:06:60.000Z", attack="A24")
    field("manifest-encryption-unknown-scheme", "An encryption scheme outside the list.",
          encryption={"scheme": "rot13", "recipients": [], "plaintextSha256": "ab" * 32, "plaintextSizeBytes": 1})  # fmt: skip
    field("manifest-anchor-extra-field", "A nested field nobody knows.",
          auditAnchor={"chainId": small().chain_id, "seq": 5, "hash": "ab" * 32, "note": ""}, attack="A8")  # fmt: skip
    field("manifest-algorithm-other", "An algorithm outside the list.", signer={"alg": "ed448", "keyId": ALPHA.id}, attack="A15")
    field("manifest-key-id-short", "A shortened key id.", signer={"alg": "ed25519", "keyId": ALPHA.id[:-1]}, attack="A15")
    field("manifest-org-id-upper-case", "An organisation id in upper case.", orgId="Acme", attack="A13")
    field("manifest-org-id-long", "An id of 64 characters.", orgId="a" * 64)

    def signature(name, change, why):
        def edit(data):
            start = data.index(b'"signature":"') + 13
            end = data.index(b'"', start)
            return data[:start] + change(data[start:end]) + data[end:]

        cases.bad(name, raw_manifest(edit), 3, "manifest-form", why, attack="A22")

    signature("signature-without-prefix", lambda s: s.removeprefix(b"ed25519:"), "ed25519: is missing.")
    signature("signature-prefix-upper-case", lambda s: s.replace(b"ed25519:", b"Ed25519:"), "Ed25519: instead of ed25519:.")
    signature("signature-unpadded", lambda s: s.rstrip(b"="), "Base64 without padding.")
    signature("signature-url-alphabet", lambda s: s[:20] + b"-_" + s[22:], "The URL alphabet.")
    signature("signature-base64-dangling-bits", lambda s: s[:-3] + bytes([s[-3] + 1]) + s[-2:], "Bits that no byte needs are not zero.")
    signature("signature-short", lambda s: b"ed25519:" + base64.b64encode(bytes(63)), "63 bytes.")
    signature("signature-hex", lambda s: b"ed25519:" + decode_signature(s.decode()).hex().encode(), "Hex instead of base64.")
    cases.bad("signature-missing", raw_manifest(lambda data: data[: data.index(b'"signature"')] + data[data.index(b'"signer"') :]), 3,
              "manifest-form", "No signature at all.", attack="A15")  # fmt: skip


def missing_and_swapped(cases):
    bad = cases.bad
    history = pair()
    one, two = f"backups/{first(history)}/manifest.json", f"backups/{last(history)}/manifest.json"
    files = content(history)
    bad("manifest-left-out", archive(seal(history, without(files, one))), 4, "manifest-missing",
        "A completed backup has no manifest in the bundle.", attack="A17")  # fmt: skip
    bad("manifest-removed-after-signing", archive(without(seal(history, files), one)), 4, "manifest-missing statement-file-missing",
        "A listed manifest is absent.", attack="A17")  # fmt: skip
    bad("all-manifests-left-out", archive(seal(history, without(files, one, two))), 4, "manifest-missing", "No manifest at all.", attack="A2")
    swapped = files | {one: files[two], two: files[one]}
    bad("manifests-swapped", archive(seal(history, swapped)), 1, "manifest-job", "Two manifests changed places.", attack="A16")
    bad("manifest-under-two-paths", archive(seal(history, files | {one: files[two]})), 1, "manifest-job",
        "One manifest lies under two jobs.", attack="A16")  # fmt: skip
    alone = small()
    extra = content(pair())
    job = last(history)
    bad("manifest-unannounced", archive(seal(alone, content(alone) | {f"backups/{job}/manifest.json": extra[two]})), 1,
        "manifest-announced", "A manifest whose job the chain does not know.", attack="A17")  # fmt: skip
    history = small()
    job = history.begin("cancelled")
    history.complete(job, "cancelled")
    history.rows.pop()
    history.add("backup.cancelled", job=job)
    bad("manifest-of-cancelled-job", bundle(history), 1, "manifest-announced", "A manifest of a job that never completed.", attack="A17")
    for name, payload in [("digest", {"manifestSha256": "ab" * 32}), ("checksum", {"checksumSha256": "ab" * 32}), ("size", {"sizeBytes": 401})]:
        history = small()
        history.rows[-1]["payload"] |= payload
        bad(f"completed-other-{name}", bundle(history.relink()), 1, "manifest-announced",
            f"The completed row announces another {name}.", attack="A16")  # fmt: skip
    history = pair()
    history.rows[-1]["payload"] = dict(history.rows[5]["payload"])
    bad("manifest-announced-twice", bundle(history.relink()), 1, "manifest-duplicate", "Two jobs announce one manifest.", attack="A16")
    history = small()
    job = first(history)
    history.backups[job].artifact = history.backups[job].artifact[:-1] + b"\xff"
    bad("artifact-replaced", bundle(history, artifacts=[job]), 1, "artifact-digest", "The artifact has its size and other bytes.", attack="A20")
    history.backups[job].artifact = history.backups[job].artifact[:-1]
    bad("artifact-truncated", bundle(history, artifacts=[job]), 1, "artifact-digest", "The artifact's last byte is missing.", attack="A20")
    stranger = f"backups/{pair().new_id('x')}/artifact.dump"
    bad("artifact-of-no-manifest", archive(seal(small(), content(small()) | {stranger: b"PGDMP"})), 1, "artifact-unnamed",
        "An artifact that no manifest names.", attack="A20")  # fmt: skip


def without(files, *paths):
    return {path: data for path, data in files.items() if path not in paths}


def indexes(cases):
    def bad(name, edit, why, exit=1, codes="index-rules", artifacts=False):
        history = History("odd")
        try:
            history.backup("first", index=True, edit_index=edit)
        except ValueError as error:
            raise AssertionError(name) from error
        cases.bad(name, bundle(history, artifacts=list(history.backups) if artifacts else []), exit, codes, why)

    def entry(number, **changes):
        return lambda index: index["entries"][number].update(changes)

    history = indexed()
    job = first(history)
    path = f"backups/{job}/index.json"
    other = canonical(history.backups[job].index | {"tocSizeBytes": 199})
    cases.bad("index-replaced", archive(seal(history, content(history) | {path: other})), 1, "index-digest",
              "The index is not the one the manifest names.", attack="A16")  # fmt: skip
    plain = small()
    cases.bad("index-unnamed", archive(seal(plain, content(plain) | {f"backups/{first(plain)}/index.json": other})), 1, "index-unnamed",
              "The manifest names no index.", attack="A16")  # fmt: skip
    bad("index-of-other-job", lambda index: index.update(jobId=small().new_id("x")), "The index names another job.")
    bad("index-chunk-missing", lambda index: index["chunks"].clear(), "Fewer chunks than the artifact has.")
    bad("index-chunk-extra", lambda index: index["chunks"].append("ab" * 32), "More chunks than the artifact has.")
    bad("index-entry-beyond-artifact", entry(1, offset=350), "An entry reaches beyond the artifact's end.")
    bad("index-chunk-other-digest", lambda index: index.update(chunks=["ab" * 32]), "A chunk's digest is not the artifact's.",
        codes="index-chunks", artifacts=True)  # fmt: skip
    history = indexed()
    stored = f"backups/{first(history)}/artifact.dump"
    for name, data in [("longer", history.backups[first(history)].artifact + b"\0"), ("empty", b"")]:
        cases.bad(f"artifact-of-index-{name}", archive(seal(history, content(history) | {stored: data})), 1, "artifact-digest index-chunks",
                  "An artifact of another size has other chunks, too.", attack="A20")  # fmt: skip
    history = History("odd")
    history.backup("first", index=True, edit=lambda manifest: manifest.update(contentRoot="ab" * 32))
    cases.bad("content-root-other", bundle(history), 1, "manifest-content-root", "contentRoot is not the root over the index's tables.", attack="A33")
    form = {"exit": 3, "codes": "index-form"}
    bad("index-version-2", lambda index: index.update(formatVersion=2), "A version these pages do not describe.", **form)
    bad("index-type-manifest", lambda index: index.update(type="walwarden.backup-manifest"), "Another document's type.", **form)
    bad("index-unknown-field", lambda index: index.update(comment=""), "A field that indexes do not have.", **form)
    bad("index-entry-unknown-field", entry(0, comment=""), "A field that entries do not have.", **form)
    bad("index-row-count-number", entry(1, rowCount=3), "Row counts are text.", **form)
    bad("index-raw-bytes-number", entry(1, rawBytes=29), "rawBytes is text.", **form)
    bad("index-row-count-beyond-64-bits", entry(1, rowCount=str(2**64)), "Counts end at 2^64-1.", **form)
    bad("index-row-count-leading-zero", entry(1, rowCount="03"), "Decimal without leading zeros.", **form)
    bad("index-row-count-without-digest", entry(1, rowsDigest=None), "rowCount and rowsDigest stand together.", **form)
    bad("index-entry-data-in-part", entry(0, offset=0, length=1), "The fields of an entry's data stand together.", **form)
    bad("index-rows-of-no-table", entry(1, desc="BLOBS"), "Rows of an entry that is no table data.")
    bad("index-table-without-rows", entry(2, rowCount=None, rowsDigest=None), "Table data without its rows.")
    bad("index-offset-text", entry(1, offset="200"), "Offsets are numbers.", **form)
    bad("index-chunk-size-other", lambda index: index.update(chunkSizeBytes=CHUNK_SIZE // 2), "A chunk size other than 8388608.", **form)
    bad("index-rows-digest-upper-case", entry(1, rowsDigest=rows_digest([b"x"]).upper()), "Upper-case hex.", **form)


def receipts(cases):
    def bad(name, codes, why, edit=None, exit=1, attack=None, **options):
        history = small()
        history.drill("one", of=first(history), edit=edit, **options)
        cases.bad(name, bundle(history), exit, codes, why, attack=attack)

    def field(name, why, attack=None, **changes):
        bad(name, "receipt-form", why, exit=3, attack=attack, **changes)

    def table(**changes):
        return lambda receipt: receipt["tables"][0].update(changes)

    def check(**changes):
        return lambda receipt: receipt["checks"][0].update(changes)

    bad("receipt-other-org", "receipt-subject", "A receipt of another organisation.", orgId="other", attack="A18")
    bad("receipt-other-database", "receipt-subject", "A receipt of another database.", databaseId="other", attack="A18")
    bad("receipt-other-job", "receipt-job", "A receipt of another drill.", jobId=small().new_id("x"), attack="A16")
    bad("receipt-other-manifest", "receipt-manifest", "A drill of a backup the chain does not know.", manifestSha256="ab" * 32, attack="A16")
    bad("receipt-times-backwards", "receipt-times", "finishedAt before startedAt.", finishedAt="2026-11-20T00:00:00.000Z", attack="A24")
    bad("receipt-passed-without-tables", "receipt-outcome", "A drill passes though no table was compared.", tables=[], attack="A32")
    bad("receipt-passed-rows-differ", "receipt-outcome", "A drill passes though a table has fewer rows.", table(actualRows="2"))
    bad("receipt-passed-digest-differs", "receipt-outcome", "A drill passes though a table has other rows.", table(actualDigest="ab" * 32))
    bad("receipt-passed-check-failed", "receipt-outcome", "A drill passes though a check failed.", check(outcome="failed"))
    bad("receipt-failed-announced-passed", "receipt-announced", "The receipt says failed, the chain says passed.", outcome="failed", attack="A25")
    bad("receipt-passed-announced-failed", "receipt-announced", "The receipt says passed, the chain says failed.", end="failed", attack="A25")
    bad("receipt-signer-not-chain-key", "receipt-signer", "The signer is not the chain's key.", by=MALLORY,
        edit=lambda receipt: receipt["signer"].update(keyId=MALLORY.id), attack="A21")  # fmt: skip
    bad("receipt-forged", "receipt-signature", "A stranger signs under the chain's key id.", by=MALLORY, attack="A21")
    field("receipt-check-outcome-unknown", "An outcome outside the list.", edit=check(outcome="skipped"), attack="A32")
    field("receipt-rows-number", "Row counts are text.", edit=table(expectedRows=3), attack="A12")
    field("receipt-unknown-field", "A field that receipts do not have.", approvedBy="ada", attack="A8")
    field("receipt-type-manifest", "Another document's type.", type="walwarden.backup-manifest", attack="A10")
    field("receipt-duration-text", "Durations are numbers.", phases=[{"name": "restore", "durationMs": "1"}], attack="A12")
    field("receipt-outcome-true", "outcome is passed or failed.", outcome=True)
    history = drilled()
    path = f"drills/{next(iter(history.receipts))}/receipt.json"
    files = content(history)
    cases.bad("receipt-left-out", archive(seal(history, without(files, path))), 4, "receipt-missing",
              "A passed drill has no receipt in the bundle.", attack="A17")  # fmt: skip
    other = f"drills/{history.new_id('other')}/receipt.json"
    cases.bad("receipt-unannounced", archive(seal(history, files | {other: files[path]})), 1, "receipt-announced",
              "A receipt under a drill the chain does not know.", attack="A17")  # fmt: skip
    history.rows[-1]["payload"] = {"receiptSha256": "ab" * 32}
    cases.bad("receipt-other-digest", bundle(history.relink()), 1, "receipt-announced", "The chain announces another receipt.", attack="A16")
    history = drilled()
    history.rows[-1] |= {"kind": "drill.failed", "payload": {"class": "content-mismatch", "receiptSha256": None}}
    cases.bad("receipt-disowned", bundle(history.relink()), 1, "receipt-announced", "The chain says that there was no receipt.", attack="A17")
