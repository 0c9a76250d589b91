"""The shape of every document of version 1, for the second verifier."""

import datetime
import re
import unicodedata

from .reader import FORM, KEY_NAME, MAX_INTEGER, MAX_NOTE_LINES, UUID7, Malformed, base64_bytes, canonical, pem_keys, strict_json


def need(good, what):
    if not good:
        raise Malformed(FORM, what)


def pattern(regex, name):
    compiled = re.compile(regex)

    def check(value):
        need(isinstance(value, str) and compiled.fullmatch(value), f"not a {name}: {value!r}")

    return check


label = pattern(r"[a-z0-9][a-z0-9-]{0,62}", "label id")
uuid7 = pattern(UUID7, "UUIDv7")
digest = pattern(r"[0-9a-f]{64}", "SHA-256")
key_id = pattern(r"sha256:[0-9a-f]{64}", "key id")
_digits = pattern(r"0|[1-9][0-9]{0,19}", "count")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


def time(value):
    need(isinstance(value, str) and TIME.fullmatch(value), f"not a time: {value!r}")
    # The calendar repeats itself after 400 years, and Python's begins with year 1.
    written = f"{2000 + int(value[:4]) % 400}{value[4:-1]}000"
    try:
        datetime.datetime.fromisoformat(written)
    except ValueError as error:
        raise Malformed(FORM, f"no such time: {value!r}") from error


def count_text(value):
    _digits(value)
    need(int(value) < 2**64, f"a count beyond 64 bits: {value}")


def text(value):
    need(isinstance(value, str), "not a text")


def flag(value):
    need(isinstance(value, bool), "not true or false")


def number(low=0):
    def check(value):
        need(type(value) is int and low <= value <= MAX_INTEGER, f"not a number from {low}: {value!r}")

    return check


def only(*values):
    def check(value):
        need(any(value == one and type(value) is type(one) for one in values), f"not one of {values}: {value!r}")

    return check


def maybe(check):
    return lambda value: None if value is None else check(value)


def items(check):
    def all_of(value):
        need(isinstance(value, list), "not an array")
        for item in value:
            check(item)

    return all_of


def shape(fields, optional=(), open_ended=False):
    def check(value):
        need(isinstance(value, dict), "not an object")
        for name, field in fields.items():
            if name in value:
                field(value[name])
            else:
                need(name in optional, f"field {name} is missing")
        unknown = set(value) - set(fields)
        if unknown and not open_ended:
            raise Malformed(FORM, ", ".join(sorted(unknown)))

    return check


def octets_64(value):
    text(value)
    base64_bytes(value, 64)


def signature(value):
    need(isinstance(value, str) and value.startswith("ed25519:"), "not a signature")
    base64_bytes(value.removeprefix("ed25519:"), 64)


def public_key(value):
    text(value)
    need(len(pem_keys(value.encode())) == 1, "not one public key")


signer = shape({"alg": only("ed25519"), "keyId": key_id})
stored_object = shape({"key": text, "sizeBytes": number(), "checksumSha256": digest})

manifest = shape(
    {
        "type": only("walwarden.backup-manifest"), "formatVersion": only(1),
        "orgId": label, "databaseId": label, "jobId": uuid7, "databaseName": text, "backupKind": only("logical"),
        "queuedAt": time, "startedAt": time, "finishedAt": time, "serverVersion": text, "dumpVersion": text,
        "snapshotLsn": maybe(text), "artifactKey": text, "sizeBytes": number(), "checksumSha256": digest,
        "compression": only("none", "gzip", "lz4", "zstd"),
        "encryption": maybe(shape({"scheme": only("age-v1"), "recipients": items(text), "plaintextSha256": digest,
                                   "plaintextSizeBytes": number()})),
        "index": maybe(stored_object), "globals": maybe(stored_object), "contentRoot": maybe(digest),
        "auditAnchor": shape({"chainId": uuid7, "seq": number(), "hash": digest}), "signer": signer,
        "signature": signature,
    }
)  # fmt: skip

AFTER_OWNER = ["offset", "length", "blockSha256", "rawBytes", "rowCount", "rowsDigest"]
_entry = shape(
    {
        "dumpId": number(), "section": text, "desc": text, "schema": maybe(text), "name": text, "owner": maybe(text),
        "offset": maybe(number()), "length": maybe(number()), "blockSha256": maybe(digest), "rawBytes": maybe(count_text),
        "rowCount": maybe(count_text), "rowsDigest": maybe(digest),
    }
)  # fmt: skip


def entry(value):
    _entry(value)
    present = [value[name] is not None for name in AFTER_OWNER]
    need(len(set(present[:4])) == 1, "an entry has data in part")
    need(present[4] == present[5] and present[4] <= present[0], "rowCount and rowsDigest stand together, with data")


index = shape(
    {
        "type": only("walwarden.archive-index"), "formatVersion": only(1), "jobId": uuid7, "archiveVersion": text,
        "tocSizeBytes": number(), "chunkSizeBytes": only(8388608), "chunks": items(digest), "entries": items(entry),
    }
)  # fmt: skip

receipt = shape(
    {
        "type": only("walwarden.drill-receipt"), "formatVersion": only(1), "orgId": label, "databaseId": label,
        "jobId": uuid7, "manifestSha256": digest, "startedAt": time, "finishedAt": time, "targetVersion": text,
        "phases": items(shape({"name": text, "durationMs": number()})),
        "tables": items(shape({"schema": maybe(text), "name": text, "expectedRows": count_text,
                               "actualRows": count_text, "expectedDigest": digest,
                               "actualDigest": digest})),
        "checks": items(shape({"name": text, "outcome": only("passed", "failed", "not_run"), "detail": text})),
        "outcome": only("passed", "failed"), "signer": signer, "signature": signature,
    }
)  # fmt: skip

JOB_KINDS = {
    "backup": ["queued", "claimed", "running", "finalizing", "completed", "failed", "cancelled", "pruned"],
    "restore": ["triggered", "claimed", "downloading", "verifying", "manifest_verified", "restoring", "finalizing",
                "completed", "failed", "timed_out"],
    "drill": ["queued", "started", "restored", "checked", "passed", "failed"],
}  # fmt: skip
WITHOUT_JOB = """chain.genesis restore.token_issued restore.token_rejected key.added key.revoked key.rotated
schedule.changed schedule.missed destination.verified checkpoint.published hold.placed hold.released member.invited
member.removed member.role_changed token.issued token.revoked""".split()
NEEDS_JOB = {f"{family}.{state}" for family, states in JOB_KINDS.items() for state in states}
KINDS = NEEDS_JOB | set(WITHOUT_JOB)
ORGANISATION_ONLY = {"destination", "member", "token"}
DATABASE_ONLY = {"backup", "restore", "drill", "schedule", "hold"}

PAYLOADS = {
    "chain.genesis": {"chainId": uuid7, "orgId": label, "databaseId": maybe(label), "formatVersion": only(1),
                      "keyId": key_id},
    "backup.completed": {"manifestSha256": digest, "checksumSha256": digest, "sizeBytes": number()},
    "backup.failed": {"class": text, "retryable": flag, "attempt": number(1)},
    "backup.pruned": {"manifestSha256": digest, "policy": text},
    "restore.token_issued": {"tokenId": uuid7, "manifestSha256": digest, "mode": only("new_database", "in_place")},
    "restore.token_rejected": {"reason": text},
    "restore.failed": {"class": text, "retryable": flag},
    "drill.passed": {"receiptSha256": digest},
    "drill.failed": {"class": text, "receiptSha256": maybe(digest)},
    "key.added": {"keyId": key_id},
    "key.revoked": {"keyId": key_id, "reason": text},
    "key.rotated": {"oldKeyId": key_id, "newKeyId": key_id, "newPublicKey": public_key, "oldSignature": signature,
                    "newSignature": signature},
    "hold.placed": {"manifestSha256": digest},
    "hold.released": {"manifestSha256": digest},
}  # fmt: skip

_row = shape(
    {"seq": number(), "at": time, "jobId": maybe(uuid7), "kind": only(*KINDS), "payload": shape({}, open_ended=True),
     "prevHash": digest, "hash": digest}
)  # fmt: skip


def row(value):
    _row(value)
    kind = value["kind"]
    need((value["jobId"] is not None) == (kind in NEEDS_JOB), f"jobId of {kind}")
    shape(PAYLOADS.get(kind, {}), open_ended=True)(value["payload"])


rows = items(row)

disclosure = shape(
    {"type": only("walwarden.disclosure"), "formatVersion": only(1), "size": number(), "rows": rows,
     "hidden": items(shape({"firstSeq": number(), "rows": number(), "hash": digest}))}
)  # fmt: skip

envelope = shape(
    {
        "payload": text, "payloadType": only("application/vnd.in-toto+json"),
        "signatures": items(shape({"keyid": text, "sig": octets_64}, optional=["keyid"])),
    }
)  # fmt: skip
PREDICATE = {"orgId": label, "databaseId": maybe(label), "chainId": uuid7, "firstSeq": number(), "lastSeq": number(),
             "backups": number(), "createdAt": time}  # fmt: skip
PART = "https://walwarden.dev/evidence-disclosure/v1"


def statement(value):
    need(isinstance(value, dict), "not an object")
    part = value.get("predicateType") == PART
    shape(
        {
            "_type": only("https://in-toto.io/Statement/v1"),
            "subject": items(shape({"name": text, "digest": shape({"sha256": digest})})),
            "predicateType": only(PART if part else "https://walwarden.dev/evidence-bundle/v1"),
            "predicate": shape(PREDICATE | ({"rowsShown": number()} if part else {})),
        }
    )(value)



MAX_ITEM, MAX_FIELD, MAX_SIGNATURES = 1 << 20, 64 << 10, 16
LONG = ["chunks", "entries", "rows", "hidden", "signatures", "subject"]


def sizes(value):
    """The limits within the documents that may be long."""
    for name, field in value.items() if isinstance(value, dict) else ():
        parts, limit = (field, MAX_ITEM) if name in LONG and isinstance(field, list) else ([field], MAX_FIELD)
        if name != "payload" and any(len(canonical(part)) > limit for part in parts):
            raise Malformed("bundle-limit", f"{name} is too long")
        if name == "signatures" and len(parts) > MAX_SIGNATURES:
            raise Malformed("bundle-limit", "more than 16 signatures")


def document(data, form):
    value = strict_json(data)
    if form in (index, disclosure, envelope, statement):
        sizes(value)
    form(value)
    return value


class Note:
    """A checkpoint: origin, size, root, the signed text, and the signatures as (name, key id, bytes)."""

    def __init__(self, data):
        try:
            content = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed(FORM, "not UTF-8") from error
        body, blank, tail = content.rpartition("\n\n")
        lines = body.split("\n")
        if content.count("\n") > MAX_NOTE_LINES:
            raise Malformed("bundle-limit", "more than 1,000 note lines")
        if any(unicodedata.category(char) == "Cc" and char != "\n" for char in content) or not blank or not tail.endswith("\n"):
            raise Malformed(FORM, "not a signed note")
        if len(lines) != 3 or not lines[0] or not re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1], re.ASCII):
            raise Malformed(FORM, "not origin, size and root")
        self.origin, self.size, self.root = lines[0], int(lines[1]), base64_bytes(lines[2], 32)
        number()(self.size)
        self.text = (body + "\n").encode()
        self.signatures = []
        for line in tail[:-1].split("\n"):
            found = re.fullmatch(rf"— ({KEY_NAME}) (\S+)", line)
            if not found:
                raise Malformed(FORM, "not a signature line")
            value = base64_bytes(found[2])
            if len(value) < 5:
                raise Malformed(FORM, "signature too short")
            self.signatures.append((found[1], value[:4], value[4:]))
