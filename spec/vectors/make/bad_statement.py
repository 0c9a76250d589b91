"""Attacks on bundle.json and the checkpoint."""

import base64

from . import note
from .bundle import (archive, bundle, checkpoint, checkpoint_body, content, envelope, origin, pae, seal, statement)  # fmt: skip
from .cases import WITNESSES
from .history import History, sha256
from .jcs import canonical
from .keys import ALPHA, MALLORY, malleable
from .merkle import root
from .quorum import SECONDS, VKEYS
from .stories import first, pair, small


def add(cases):
    listing(cases)
    predicates(cases)
    envelopes(cases)
    checkpoints(cases)
    checkpoint_forms(cases)


def listing(cases):
    bad = cases.bad
    history = small()
    files = content(history)
    sealed = seal(history, files)
    for path in ("audit_events.json", "checkpoint"):
        left = {name: data for name, data in files.items() if name != path}
        bad(f"{path.split('.')[0].replace('_', '-')}-missing", archive(seal(history, left)), 4, "bundle-file-missing",
            f"{path} is absent and not listed.", attack="A2")  # fmt: skip
        left = {name: data for name, data in sealed.items() if name != path}
        bad(f"{path.split('.')[0].replace('_', '-')}-removed", archive(left), 4, "bundle-file-missing statement-file-missing",
            f"{path} is listed and absent.", attack="A2")  # fmt: skip
    bad("bundle-json-missing", archive(files), 4, "bundle-file-missing", "bundle.json is absent.", attack="A2")
    bad("no-files", archive({}), 4, "bundle-file-missing", "An archive with no file at all.", attack="A2")
    bad("only-readme", archive({"README.txt": b"OK: everything is fine\n"}), 4, "bundle-file-missing", "Only words.", attack="A32")
    for path, data in [("README.txt", b"changed\n"), (f"keys/{ALPHA.hex}.pem", MALLORY.pem.encode()), ("checkpoint", checkpoint(history, more_lines=[b""]) + note.signature_line("x.example", MALLORY, b""))]:  # fmt: skip
        name = path.split(".")[0].split("/")[0].lower()
        bad(f"{name}-changed-after-signing", archive(sealed | {path: data}), 1, "statement-files",
            f"{path.split('/')[0]} differs from its listing.", attack="A19")  # fmt: skip
    bad("file-unlisted", archive(sealed | {f"keys/{MALLORY.hex}.pem": MALLORY.pem.encode()}), 1, "statement-files",
        "A file that is not listed.", attack="A19")  # fmt: skip
    left = {name: data for name, data in sealed.items() if name != "README.txt"}
    bad("readme-listed-and-absent", archive(left), 4, "statement-file-missing", "A listed file is absent, though it was optional.", attack="A19")
    bad("statement-lists-itself", archive(seal(history, files | {"bundle.json": b""})), 3, "statement-form",
        "bundle.json lists itself, whose digest it cannot hold.", attack="A19")  # fmt: skip
    other = History("small", start="2026-11-22T02:00:00.000Z")
    other.backup("first")
    mixed = sealed | {"checkpoint": checkpoint(other)}
    bad("checkpoint-of-other-bundle", archive(mixed), 1, "statement-files checkpoint-origin", "Files of two valid bundles are mixed.", attack="A19")
    mixed = seal(other, content(other)) | {"audit_events.json": files["audit_events.json"]}
    bad("rows-of-other-bundle", archive(mixed), 1, "statement-files checkpoint-origin", "Files of two valid bundles are mixed.", attack="A19")
    mixed = content(other) | {"bundle.json": sealed["bundle.json"]}
    bad("statement-of-other-bundle", archive(mixed), 1, "statement-files", "The signed index of another valid bundle.", attack="A19")
    longer = pair()
    mixed = content(longer) | {"bundle.json": seal(older := cut(longer), content(older))["bundle.json"]}
    bad("statement-of-older-export", archive(mixed), 1, "statement-files statement-range", "The signed index of an older export.", attack="A7")


def cut(history):
    older = history.clone()
    older.rows = older.rows[:6]
    older.backups = dict(list(older.backups.items())[:1])
    return older


def predicates(cases):
    history = pair()
    files = content(history)

    def bad(name, codes, why, exit=1, attack="A18", **predicate):
        cases.bad(name, archive(seal(history, files, **predicate)), exit, codes, why, attack=attack)

    bad("predicate-other-org", "statement-subject", "The statement names another organisation.", orgId="other")
    bad("predicate-other-database", "statement-subject", "The statement names another database.", databaseId="other")
    bad("predicate-database-null", "statement-subject", "The statement claims the organisation's chain.", databaseId=None)
    bad("predicate-other-chain", "statement-subject", "The statement names another chain.", chainId=small().chain_id)
    bad("predicate-last-seq-low", "statement-range", "lastSeq is too low.", lastSeq=10, attack="A1")
    bad("predicate-last-seq-high", "statement-range", "lastSeq is too high: rows are missing.", lastSeq=12, attack="A1")
    bad("predicate-first-seq-two", "statement-range", "Rows begin at seq 1.", firstSeq=2, attack="A3")
    bad("predicate-backups-too-many", "statement-range", "More backups than rows tell of.", backups=3, attack="A17")
    bad("predicate-backups-too-few", "statement-range", "Fewer backups than rows tell of.", backups=1, attack="A17")
    bad("predicate-created-before-last-row", "statement-time", "The bundle claims to be older than its last row.",
        createdAt="2026-11-21T00:00:00.000Z", attack="A24")  # fmt: skip
    early = small()
    early.add("schedule.changed", at="2026-11-21T02:00:03.000Z")
    made = archive(seal(early, content(early), createdAt="2026-11-21T02:00:04.000Z"))
    cases.bad("predicate-created-between-last-rows", made, 1, "chain-time",
              "Time ran backwards to the last row, and the bundle was made after that one.", attack="A24")  # fmt: skip
    bad("predicate-unknown-field", "statement-form", "A field that predicates do not have.", exit=3, reviewed=True, attack="A8")
    bad("predicate-backups-text", "statement-form", "Numbers are numbers.", exit=3, backups="2", attack="A12")
    bad("predicate-created-malformed", "statement-form", "createdAt is no time.", exit=3, createdAt="yesterday", attack="A24")

    def stated(name, edit, why, exit=3, codes="statement-form", attack="A19"):
        value = statement(history, files)
        edit(value)
        signed = canonical(envelope(canonical(value), ALPHA))
        cases.bad(name, archive(files | {"bundle.json": signed}), exit, codes, why, attack=attack)

    subject = lambda name: {"name": name, "digest": {"sha256": "ab" * 32}}  # noqa: E731
    stated("subjects-unsorted", lambda value: value["subject"].reverse(), "Subjects are sorted by name.")
    stated("subject-twice", lambda value: value["subject"].insert(0, dict(value["subject"][0])), "A name is listed twice.", attack="A27")
    stated("subject-extra-digest", lambda value: value["subject"][0]["digest"].update(sha512="ab"), "A digest beside sha256.", attack="A8")
    stated("subjects-none", lambda value: value["subject"].clear(), "Nothing is listed.", 1, "statement-files", attack="A2")
    stated("subject-absent-manifest", lambda value: value["subject"].insert(2, subject("backups/01890000-0000-7000-8000-000000000000/manifest.json"))
           or value["subject"].sort(key=lambda one: one["name"]), "A listed file is absent.", 4, "statement-file-missing", "A17")  # fmt: skip
    stated("statement-type-other", lambda value: value.update(_type="https://in-toto.io/Statement/v0.1"), "Another statement type.", attack="A10")
    stated("predicate-type-other", lambda value: value.update(predicateType="https://slsa.dev/provenance/v1"), "Another predicate type.", attack="A10")
    stated("statement-unknown-field", lambda value: value.update(comment=""), "A field that statements do not have.", attack="A8")


def envelopes(cases):
    history = small()
    files = content(history)
    payload = canonical(statement(history, files))

    def bad(name, value, exit, codes, why, attack="A22"):
        data = value if isinstance(value, bytes) else canonical(value)
        cases.bad(name, archive(files | {"bundle.json": data}), exit, codes, why, attack=attack)

    good = envelope(payload, ALPHA)
    raw = base64.b64decode(good["signatures"][0]["sig"])

    def sig(data, **fields):
        return {"signatures": [{"keyid": ALPHA.id, "sig": base64.b64encode(data).decode()} | fields]}

    bad("envelope-forged", envelope(payload, MALLORY), 1, "statement-signature", "A stranger signed the index.", "A21")
    bad("envelope-unsigned", good | {"signatures": []}, 1, "statement-signature", "Nobody signed the index.", "A21")
    bad("envelope-signed-without-pae", good | sig(ALPHA.sign(payload)), 1, "statement-signature",
        "The signature is over the bare payload.", "A10")  # fmt: skip
    bad("envelope-signed-other-type", good | sig(ALPHA.sign(pae(payload, "text/plain"))), 1, "statement-signature",
        "The signature is over another payload type.", "A10")  # fmt: skip
    bad("envelope-malleable", good | sig(malleable(raw)), 1, "statement-signature", "S is not reduced.")
    changed = canonical(statement(history, files, createdAt="2031-01-01T00:00:00.000Z"))
    bad("envelope-payload-changed", good | {"payload": base64.b64encode(changed).decode()}, 1, "statement-signature",
        "The payload was changed after signing.", "A19")  # fmt: skip
    form = (3, "statement-form")
    bad("envelope-payload-type-other", envelope(payload, ALPHA, payload_type="application/json"), *form, "Another payload type.", "A10")
    bad("envelope-payload-unpadded", good | {"payload": base64.b64encode(canonical(statement(history, files, backups=10))).decode().rstrip("=") + "A"},
        *form, "Base64 of an impossible length.")  # fmt: skip
    bad("envelope-payload-line-breaks", good | {"payload": good["payload"][:76] + "\n" + good["payload"][76:]}, *form, "Base64 with line breaks.")
    bad("envelope-signature-short", good | sig(raw[:63]), *form, "A signature of 63 bytes.")
    bad("envelope-signature-url-alphabet", good | sig(raw, sig="-_" + good["signatures"][0]["sig"][2:]), *form, "The URL alphabet.")
    bad("envelope-second-signature-malformed", good | {"signatures": good["signatures"] + [{"sig": "x"}]}, *form,
        "The other signatures need the right form.")  # fmt: skip
    bad("envelope-signature-number", good | sig(raw, sig=1), *form, "A signature is text.", "A12")
    bad("envelope-signatures-text", good | {"signatures": "x" * 17}, *form, "Signatures are a list.", "A12")
    bad("envelope-keyid-number", good | sig(raw, keyid=1), *form, "keyid is text.")
    bad("envelope-unknown-field", good | {"comment": ""}, *form, "A field that envelopes do not have.", "A8")
    bad("envelope-trailing-newline", canonical(good) + b"\n", *form, "A newline after the object.")
    bad("envelope-duplicate-key", canonical(good).replace(b'{"payload"', b'{"payload":"","payload"', 1), *form, "A key stands twice.", "A11")
    loose = payload.replace(b'"backups":1', b'"backups": 1')
    bad("statement-not-canonical", envelope(loose, ALPHA), *form, "The signed statement is not canonical.", "A14")
    twice = payload.replace(b'"backups":1', b'"backups":9,"backups":1')
    bad("statement-duplicate-key", envelope(twice, ALPHA), *form, "The signed statement has a key twice.", "A11")
    bad("statement-is-manifest", envelope(canonical(history.backups[first(history)].manifest), ALPHA), *form,
        "A manifest in the place of the statement.", "A10")  # fmt: skip


def with_checkpoint(history, data):
    return bundle(history, checkpoint_bytes=data)


def checkpoints(cases):
    history = small()
    name, size, text = origin(history), len(history.rows), checkpoint_body(history)
    tree = base64.b64decode(text.split(b"\n")[2])

    def bad(case, data, codes, why, attack="A1", exit=1):
        cases.bad(case, with_checkpoint(history, data), exit, codes, why, attack=attack)

    bad("checkpoint-of-fewer-rows", checkpoint(history, 5), "checkpoint-size", "The checkpoint is older than the rows.")
    bad("checkpoint-size-larger", note.checkpoint(name, 7, tree, ALPHA), "checkpoint-size", "The checkpoint promises a row that is absent.")
    bad("checkpoint-other-root", note.checkpoint(name, size, bytes(32), ALPHA), "checkpoint-root", "The root is not the one over the rows.", "A4")
    chained = bytes.fromhex(history.rows[-1]["hash"])
    bad("checkpoint-root-is-chain-head", note.checkpoint(name, size, chained, ALPHA), "checkpoint-root",
        "The chain's last hash in the place of the tree's root.", "A33")  # fmt: skip
    bad("checkpoint-other-origin", note.checkpoint("walwarden/other/" + history.chain_id, size, tree, ALPHA), "checkpoint-origin",
        "The checkpoint is of another organisation.", "A18")  # fmt: skip
    bad("checkpoint-origin-other-chain", note.checkpoint(f"walwarden/acme/{pair().chain_id}", size, tree, ALPHA), "checkpoint-origin",
        "The checkpoint is of another chain.", "A18")  # fmt: skip
    elsewhere = note.body("walwarden/other/" + history.chain_id, size, tree)
    witness = note.cosignature_line(*list(WITNESSES.items())[0], elsewhere, SECONDS)
    cosigned = note.checkpoint("walwarden/other/" + history.chain_id, size, tree, ALPHA, [witness])
    cases.bad("checkpoint-other-origin-cosigned", with_checkpoint(history, cosigned), 1, "checkpoint-origin",
              "A witness cosigned the root under another origin: of this chain that says nothing.", attack="A18", witnesses=list(VKEYS.values())[:1])
    bad("checkpoint-forged", note.checkpoint(name, size, tree, MALLORY), "checkpoint-signature", "Only a stranger signed.", "A21")
    line = note.signature_line(name, ALPHA, text)
    forged = note.b64(note.note_key_id(name, ALPHA.raw) + MALLORY.sign(text))
    bad("checkpoint-forged-key-id", text + b"\n" + f"— {name} {forged}\n".encode(), "checkpoint-signature",
        "A stranger signed under the chain's key id.", "A21")  # fmt: skip
    lax = note.b64(note.note_key_id(name, ALPHA.raw) + malleable(ALPHA.sign(text)))
    bad("checkpoint-malleable", text + b"\n" + f"— {name} {lax}\n".encode(), "checkpoint-signature", "S is not reduced.", "A22")
    bad("checkpoint-other-key-name", text + b"\n" + note.signature_line("walwarden", ALPHA, text), "checkpoint-signature",
        "The chain's key under another name is an unknown key.", "A10")  # fmt: skip
    other_size = text.replace(b"\n6\n", b"\n7\n")
    bad("checkpoint-size-edited", other_size + b"\n" + line, "checkpoint-size", "The size was edited after signing.")
    full = [canonical({field: row[field] for field in ("at", "jobId", "kind", "payload")}) for row in history.rows]
    bad("checkpoint-leaves-without-seq", note.checkpoint(name, size, root(full), ALPHA), "checkpoint-root",
        "The leaves are the hashed parts instead of the full rows.", "A8")  # fmt: skip
    flat = bytes.fromhex(sha256(b"".join(canonical(row) for row in history.rows)))
    bad("checkpoint-root-flat", note.checkpoint(name, size, flat, ALPHA), "checkpoint-root", "A plain hash instead of a tree.", "A33")


def checkpoint_forms(cases):
    history = small()
    name, text = origin(history), checkpoint_body(history)
    good = checkpoint(history)

    def bad(case, data, why, attack="A9"):
        cases.bad(case, with_checkpoint(history, data), 3, "checkpoint-form", why, attack=attack)

    def resigned(case, changed, why, attack="A9"):
        bad(case, changed + b"\n" + note.signature_line(name, ALPHA, changed), why, attack)

    bad("checkpoint-without-signatures", text + b"\n", "No signature line.", "A21")
    bad("checkpoint-without-blank-line", good.replace(b"\n\n", b"\n"), "No blank line before the signatures.")
    bad("checkpoint-no-final-newline", good[:-1], "The last newline is missing.")
    bad("checkpoint-carriage-returns", good.replace(b"\n", b"\r\n"), "Line ends of another system.")
    bad("checkpoint-empty-file", b"\n", "Nothing but a newline.", "A2")
    bad("checkpoint-hyphen-for-dash", good.replace("—".encode(), b"-"), "A hyphen in the place of the em dash.")
    bad("checkpoint-not-utf8", good.replace(b"walwarden", b"walward\xffn", 1), "A byte that is not UTF-8.", "A13")
    bad("checkpoint-signature-too-short", text + b"\n" + f"— {name} AAAA\n".encode(), "Too short for key id and signature.", "A22")
    bad("checkpoint-signature-not-base64", text + b"\n" + f"— {name} !!!!\n".encode(), "Not base64.", "A22")
    bad("checkpoint-trailing-text", good + b"signed, honestly\n", "A line that is no signature.")
    resigned("checkpoint-extension-line", text + b"extension\n", "Version 1 refuses extension lines.", "A10")
    resigned("checkpoint-size-leading-zero", text.replace(b"\n6\n", b"\n06\n"), "A leading zero.", "A12")
    resigned("checkpoint-size-signed", text.replace(b"\n6\n", b"\n+6\n"), "A plus sign.", "A12")
    resigned("checkpoint-size-hex", text.replace(b"\n6\n", b"\n0x6\n"), "Hex.", "A12")
    resigned("checkpoint-root-hex", note_with_root(text, lambda raw: raw.hex()), "The root is base64.")
    resigned("checkpoint-root-short", note_with_root(text, lambda raw: note.b64(raw[:31])), "31 bytes.")
    resigned("checkpoint-root-unpadded", note_with_root(text, lambda raw: note.b64(raw).rstrip("=")), "Base64 without padding.", "A22")
    resigned("checkpoint-without-origin", text[text.index(b"\n") :], "The origin is empty.", "A18")
    lines = b"".join(note.signature_line(f"w{number}.example", MALLORY, b"x") for number in range(1000))
    cases.bad("checkpoint-too-many-lines", with_checkpoint(history, good + lines), 3, "", "More than 1,000 lines.", attack="A30")


def note_with_root(text, change):
    name, size, root, _ = text.decode().split("\n")
    return f"{name}\n{size}\n{change(base64.b64decode(root))}\n".encode()
