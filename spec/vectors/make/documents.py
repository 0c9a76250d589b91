"""Single documents with their expected outcome: `ok`, `malformed`, `contradiction` or `bad-signature`."""

import base64
import json

from . import forms, note, reader
from .bundle import checkpoint, checkpoint_body, origin
from .history import row_hash, rows_digest
from .jcs import canonical
from .keys import ALPHA, MALLORY
from .stories import drilled, first, indexed, organisation, rotated, small
from .verify import good_signature


def make():
    """(type, name, bytes, outcome, why) of every document."""
    yield from manifests()
    yield from rows()
    yield from checkpoints()
    yield from others()
    yield from plain_json()


def manifests():
    backup = indexed().backups[first(indexed())]
    good = canonical(backup.manifest)
    yield "manifest", "with-index", good, "ok", "A manifest with an index."
    yield "manifest", "without-index", canonical(small().backups[first(small())].manifest), "ok", "A manifest without an index."
    changed = backup.manifest | {"sizeBytes": 401}
    yield "manifest", "size-changed", canonical(changed), "bad-signature", "The size was changed after signing."
    forged = backup.manifest | {"signature": MALLORY.sign_text(b"anything")}
    yield "manifest", "forged", canonical(forged), "bad-signature", "A stranger signed something else."
    yield "manifest", "pretty", json.dumps(backup.manifest, indent=2).encode(), "malformed", "Not canonical."
    yield "manifest", "newline", good + b"\n", "malformed", "A newline at the end."
    yield "manifest", "unknown-field", canonical(backup.manifest | {"x": 1}), "malformed", "An unknown field."
    missing = {name: value for name, value in backup.manifest.items() if name != "snapshotLsn"}
    yield "manifest", "field-missing", canonical(missing), "malformed", "Null is written, not left out."
    yield "manifest", "duplicate-key", b'{"artifactKey":"x",' + good[1:], "malformed", "A key twice."
    backwards = backup.manifest | {"finishedAt": "2020-01-01T00:00:00.000Z"}
    backwards.pop("signature")
    backwards["signature"] = ALPHA.sign_text(canonical(backwards))
    yield "manifest", "times-backwards", canonical(backwards), "contradiction", "finishedAt before startedAt, correctly signed."


def rows():
    for history in (small(), rotated(), drilled(), organisation()):
        for row in history.rows:
            name = f"{history.label}-{row['seq']:02}-{row['kind'].replace('.', '-')}"
            yield "row", name, canonical(row), "ok", "A row of a good chain."
    row = small().rows[-1]
    yield "row", "other-hash", canonical(row | {"hash": "ab" * 32}), "contradiction", "The hash is not the one the row must have."
    yield "row", "payload-changed", canonical(row | {"payload": row["payload"] | {"sizeBytes": 1}}), "contradiction", "The payload was changed."
    yield "row", "seq-changed", canonical(row | {"seq": 99}), "ok", "seq is not hashed: the place in the chain and the tree protect it."
    yield "row", "kind-unknown", canonical(row | {"kind": "backup.done"}), "malformed", "A kind outside the list."
    yield "row", "job-null", canonical(row | {"jobId": None}), "malformed", "A row of a job names it."
    yield "row", "hash-upper-case", canonical(row | {"hash": row["hash"].upper()}), "malformed", "Upper-case hex."


def checkpoints():
    history = small()
    text, name = checkpoint_body(history), origin(history)
    yield "checkpoint", "one-signature", checkpoint(history), "ok", "Signed by the chain's key."
    stranger = note.signature_line("stranger.example", MALLORY, text)
    yield "checkpoint", "with-stranger", checkpoint(history, more_lines=[stranger]), "ok", "Unknown signatures are ignored."
    yield "checkpoint", "only-stranger", text + b"\n" + stranger, "bad-signature", "No signature by the chain's key."
    line = note.signature_line(name, ALPHA, text)
    yield "checkpoint", "size-edited", text.replace(b"\n6\n", b"\n5\n") + b"\n" + line, "bad-signature", "The size was edited."
    extended = text + b"extension\n"
    yield "checkpoint", "extension", extended + b"\n" + note.signature_line(name, ALPHA, extended), "malformed", "An extension line."
    yield "checkpoint", "no-signature", text + b"\n", "malformed", "No signature line."


def others():
    index = indexed().backups[first(indexed())].index
    yield "index", "two-tables", canonical(index), "ok", "Two tables, one of them empty."
    yield "index", "count-number", canonical(index | {"entries": [index["entries"][1] | {"rowCount": 3}]}), "malformed", "Row counts are text."
    history = drilled()
    receipt = next(iter(history.receipts.values()))
    yield "receipt", "passed", canonical(receipt), "ok", "A passed drill."
    yield "receipt", "changed", canonical(receipt | {"targetVersion": "18.0"}), "bad-signature", "Changed after signing."


def plain_json():
    good = {
        "empty-object": b"{}", "empty-array": b"[]", "largest": b"9007199254740991", "smallest": b"-9007199254740991",
        "escapes": b'"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\/"', "unicode": '"é é 🔒 \u2028 \u0080"'.encode(),
        "order": b'{"":0,"A":1,"_":2,"a":3,"aa":4}', "depth-64": b"[" * 64 + b"]" * 64,
    }  # fmt: skip
    bad = {
        "blank": b"[1, 2]", "above-largest": b"9007199254740992", "float": b"1.0", "fraction": b"0.5", "exponent": b"1e3",
        "minus-zero": b"-0", "plus": b"+1", "leading-zero": b"01", "duplicate": b'{"a":1,"a":2}',
        "duplicate-escaped": b'{"a":1,"\\u0061":2}', "unsorted": b'{"b":1,"a":2}', "surrogate": b'"\\ud800"',
        "needless-escape": b'"\\u0061"', "escaped-slash": b'"\\/"', "upper-case-escape": b'"\\u001F"',
        "long-escape": b'"\\u000a"', "raw-control": b'"\x01"', "delete": b'"\x7f"', "not-utf8": b'"\xff"', "bom": b"\xef\xbb\xbf{}",
        "key-not-ascii": '{"é":1}'.encode(), "two-documents": b"{}{}", "newline": b"{}\n", "nothing": b"", "nan": b"NaN",
        "infinity": b"Infinity", "single-quotes": b"'a'", "comment": b"[/**/]", "trailing-comma": b"[1,]",
        "depth-65": b"[" * 65 + b"]" * 65,
    }  # fmt: skip
    for outcome, values in (("ok", good), ("malformed", bad)):
        for name, data in values.items():
            yield "json", name, data, outcome, "Canonical." if outcome == "ok" else "Not canonical, or outside the writing profile."


def files():
    found, cases = {}, []
    for kind, name, data, outcome, why in make():
        ending = {"checkpoint": "txt"}.get(kind, "json")
        path = f"documents/{kind}/{name}.{ending}"
        assert path not in found, path
        found[path] = data
        case = {"type": kind, "file": path, "outcome": outcome, "why": why}
        if kind in ("manifest", "receipt", "checkpoint"):
            case["pubkey"] = "keys/alpha.pub.pem"
        cases.append(case)
    found["documents/cases.json"] = (json.dumps(cases, indent=1, ensure_ascii=False) + "\n").encode()
    found["documents/rows-digest.json"] = canonical(
        [{"lines": [line.decode() for line in lines], "rowCount": str(len(lines)), "rowsDigest": rows_digest(lines)}
         for lines in ([], [b"1\tAda\t12.50"], [b"1\tAda", b"2\tGrace"], [b"2\tGrace", b"1\tAda"], [b"x", b"x"])]
    )  # fmt: skip
    return found


def judge(case, data):
    """What the second verifier says of one document."""
    form = {"json": lambda value: None}.get(case["type"]) or getattr(forms, case["type"], None)
    raw = ALPHA.raw
    try:
        if case["type"] == "checkpoint":
            parsed = forms.Note(data)
            name = parsed.origin
            own = [value for signer, number, value in parsed.signatures if number == note.note_key_id(name, raw) and signer == name]
            return "ok" if own and good_signature(raw, own[0], parsed.text) else "bad-signature"
        value = forms.document(data, form)
    except reader.Malformed:
        return "malformed"
    if case["type"] in ("manifest", "receipt"):
        body = reader.canonical({name: field for name, field in value.items() if name != "signature"})
        if not good_signature(raw, base64.b64decode(value["signature"][8:]), body):
            return "bad-signature"
        times = [value[name] for name in ("queuedAt", "startedAt", "finishedAt") if name in value]
        return "ok" if times == sorted(times) else "contradiction"
    if case["type"] == "row":
        return "ok" if row_hash(value["prevHash"], value) == value["hash"] else "contradiction"
    return "ok"


def disagreements(found):
    for case in json.loads(found["documents/cases.json"]):
        outcome = judge(case, found[case["file"]])
        if outcome != case["outcome"]:
            yield f"{case['file']}: expected {case['outcome']}, got {outcome}"
