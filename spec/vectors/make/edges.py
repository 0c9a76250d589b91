"""Where readers come to differ: the ends of forms and limits, each on both sides where both are cheap to show."""

import dataclasses

from . import disclosure, note, pack
from .bundle import archive, bundle, checkpoint, checkpoint_body, content, envelope, origin, seal, statement
from .cases import WITNESSES
from .history import History
from .jcs import canonical
from .keys import ALPHA, BETA, MALLORY
from .pack import Member
from .stories import first, pair, rotated, small

MIB = 1 << 20
LAST_SECOND = 253402300799  # of the year 9999
LABELLED = "-----BEGIN X-----\nAAAA\n-----END X-----\n"


def add(cases):
    forms(cases)
    notes(cases)
    keys(cases)
    containers(cases)
    lists(cases)
    unsigned(cases)
    sizes(cases)


def forms(cases):
    def unfinished(receipt):
        receipt["tables"][0] |= {"actualRows": None, "actualDigest": None}
        receipt["outcome"] = "failed"

    history = small()
    history.drill("one", of=first(history), edit=unfinished, end="failed")
    cases.bad("receipt-actual-null", bundle(history), 3, "receipt-form", "A table's actual rows are a count, also in a drill that failed.",
              attack="A12")  # fmt: skip

    def queued_at(name, time):
        history = History("calendar")
        day = time[:10].replace("-", "/")
        history.backup("first", queuedAt=time, edit=lambda m: m.update(artifactKey=m["artifactKey"].replace("2026/11/21", day)))
        return name, bundle(history)

    cases.good(*queued_at("time-of-year-zero", "0000-02-29T00:00:00.000Z"), "Year 0000 was a leap year.")
    cases.bad(*queued_at("time-of-no-day", "0000-99-99T99:99:99.999Z"), 3, "manifest-form", "No such day, in year 0000 as in any other.",
              attack="A24")  # fmt: skip
    history = small()
    history.rows[3]["seq"] = 0
    cases.bad("seq-zero", bundle(history), 1, "chain-seq", "0 is a number like others, in the wrong place.", attack="A8")
    history = History("small")
    history.backup("first", edit=lambda manifest: manifest["auditAnchor"].update(seq=0))
    cases.bad("anchor-seq-zero", bundle(history), 1, "manifest-anchor", "No row has the number 0.", attack="A4")


def notes(cases):
    history = small()

    def with_line(line):
        return bundle(history, checkpoint_bytes=checkpoint(history, more_lines=[line]))

    signature = note.b64(b"abcdefgh")
    for name, space in [("em-space", "\u2003"), ("next-line", "\u0085"), ("no-break-space", "\u00a0")]:
        line = f"— wit{space}x {signature}\n".encode()
        cases.bad(f"note-name-{name}", with_line(line), 3, "checkpoint-form", f"U+{ord(space):04X} in the name of a key.", attack="A13")
    cases.good("note-name-unusual", with_line(f"— wit\u200b\u0301☃ {signature}\n".encode()), "Other characters may stand in a name.", attack="A13")
    for name, size in [("largest", 2**53 - 1), ("beyond-2-53", 2**53), ("of-17-digits", 10**17)]:
        data = archive(seal(history, content(history, checkpoint_bytes=note.checkpoint(origin(history), size, bytes(32), ALPHA))))
        exit, code = (1, "checkpoint-size") if name == "largest" else (3, "checkpoint-form")
        cases.bad(f"checkpoint-size-{name}", data, exit, code, "A size is a number of at most 2^53-1.", attack="A12")
    name, witness = next(iter(WITNESSES.items()))
    vkey, two = note.vkey(name, witness.raw, 4), pair()

    def cosigned(seconds):
        line = note.cosignature_line(name, witness, checkpoint_body(two), seconds)
        return bundle(two, checkpoint_bytes=checkpoint(two, more_lines=[line]))

    cases.good("cosigned-in-9999", cosigned(LAST_SECOND), "The last second that a time can name.", level=3, asked=3, witnesses=[vkey])
    for label, seconds in [("in-10000", LAST_SECOND + 1), ("beyond-all-years", 2**64 - 1)]:
        cases.bad(f"cosigned-{label}", cosigned(seconds), 1, "witness-signature", "A well-signed time that nobody can write down.",
                  attack="A24", asked=3, witnesses=[vkey])  # fmt: skip


def keys(cases):
    history = rotated()
    for name, hint, content_of, why in [
        ("misnamed", f"keys/{'0' * 64}.pem", ALPHA.pem, "The key lies under another id."),
        ("of-two-keys", f"keys/{ALPHA.hex}.pem", ALPHA.pem + MALLORY.pem, "Two keys lie under the id of one."),
    ]:
        files = {path: data for path, data in content(history).items() if path != f"keys/{ALPHA.hex}.pem"}
        files[hint] = content_of.encode()
        cases.bad(f"hint-{name}", archive(seal(history, files)), 4, "key-unavailable", why + " A file in keys/ is named by its one key.",
                  attack="A21", pins=[BETA])  # fmt: skip
    history = History("labelled")
    history.rotate(BETA, edit=lambda payload: payload.update(newPublicKey=LABELLED + payload["newPublicKey"]))
    cases.good("rotation-pem-with-other-block", bundle(history), "A block of another label is text around the key.")
    path = cases.keep("keys/alpha-with-certificate.pub.pem", (LABELLED.replace(" X-", " CERTIFICATE-") + ALPHA.pem).encode())
    cases.good("pin-with-certificate", bundle(small()), "A block of another label is text around the pin.", pubkeys=[path], file="one-backup")
    # The last digit before the padding carries two bits that no byte needs.
    dangling = ALPHA.pem.replace(ALPHA.pem[-28:-26], chr(ord(ALPHA.pem[-28]) + 1) + "=")
    for name, text in [("without-end", ALPHA.pem.replace("END", "AND")), ("dangling-bits", dangling)]:
        path = cases.keep(f"keys/alpha-{name}.pub.pem", text.encode())
        cases.bad(f"pin-{name}", bundle(small()), 2, "", "The pinned block cannot be read.", attack="U1", pubkeys=[path], file="good/one-backup")


def containers(cases):
    history = small()
    members = pack.members(seal(history, content(history)))
    tar = pack.tar(members)
    for name, flag in [("name", 8), ("comment", 16)]:
        for size in (65535, 65536):
            data = pack.gzip(tar, flags=flag, extra=b"a" * size + b"\0")
            if size == 65535:
                cases.good(f"gzip-{name}-longest", data, f"A {name} of 65,535 bytes in the gzip header.")
            else:
                cases.bad(f"gzip-{name}-too-long", data, 3, "bundle-gzip", f"A {name} of 65,536 bytes in the gzip header.", attack="A30")

    def with_sum(form):
        """The tar with the checksum of its last header written in another form."""
        plain = dataclasses.replace(members[-1])
        value = int(plain.to_bytes()[148:154], 8)
        changed = dataclasses.replace(plain, checksum_field=form % value)
        return pack.gzip(pack.tar([*members[:-1], changed]))

    cases.bad("tar-checksum-without-end", with_sum(b"%08o"), 3, "bundle-tar", "A checksum of eight digits and no NUL or blank.", attack="A29")
    cases.good("tar-checksum-seven-digits", with_sum(b"%07o\0"), "A checksum of seven digits and a NUL.")
    cases.good("tar-checksum-blanks", with_sum(b"%06o  "), "A checksum ended by blanks.")
    cases.bad("tar-checksum-digit-after-end", with_sum(b"%06o\x000"), 3, "bundle-tar", "A digit follows the checksum's end.", attack="A29")


def lists(cases):
    """Limits within the documents that may be long."""
    history = small()
    files = content(history)
    payload = canonical(statement(history, files))
    for count in (16, 17):
        signed = canonical(envelope(payload, *[MALLORY] * (count - 1), ALPHA))
        data = archive(files | {"bundle.json": signed})
        if count == 16:
            cases.good("envelope-16-signatures", data, "The last of sixteen signatures is by the chain's key.")
        else:
            cases.bad("too-many-signatures", data, 3, "bundle-limit", "Seventeen signatures.", attack="A30")
    signed = envelope(payload, ALPHA)
    signed["signatures"][0]["keyid"] = "x" * MIB
    cases.bad("signature-too-long", archive(files | {"bundle.json": canonical(signed)}), 3, "bundle-limit", "An item of a list of more than 1 MiB.",
              attack="A30")  # fmt: skip
    for size in (65536, 65537):
        history = History("wordy")
        history.backup("first", index=True, edit_index=lambda index, size=size: index.update(archiveVersion="x" * (size - 2)))
        if size == 65536:
            cases.good("index-field-longest", bundle(history), "A field of 64 KiB, its quotes included.")
        else:
            cases.bad("index-field-too-long", bundle(history), 3, "bundle-limit", "A field of 64 KiB and a byte.", attack="A30")


def unsigned(cases):
    """Rows that name a pinned key, and nothing that it signed."""
    history = pair()
    rows = {"audit_events.json": canonical(history.rows)}
    manifests = {path: data for path, data in content(history).items() if path.startswith("backups/")}
    for name, files, level, why in [
        ("rows-only", rows, 0, "Anybody can write rows that name a key."),
        ("rows-and-manifests", rows | manifests, 1, "The manifests are signed, and name rows of the chain."),
    ]:
        for asked in (0, 1):
            options = {"attack": "A2", "asked": asked, "level": level, "file": f"bad/{name}"}
            cases.bad(f"{name}-at-level-{asked}", archive(files), 4, "bundle-file-missing", why, **options)
    part = canonical(disclosure.document(history, disclosure.shown_for(history)))
    cases.bad("disclosure-only", archive({"disclosure.json": part}), 4, "bundle-file-missing", "Nor does a part of a chain show who wrote it.",
              attack="A2", asked=1, level=0)  # fmt: skip


def sizes(cases):
    def row_of(size):
        history = History("wide")
        history.add("schedule.missed", {"x": ""})
        history.rows[-1]["payload"]["x"] = "y" * (size - len(canonical(history.rows[-1])))
        history.relink().backup("first")
        return bundle(history)

    cases.good("row-largest", row_of(MIB), "A row of 1 MiB.")
    cases.bad("row-too-large", row_of(MIB + 1), 3, "bundle-limit", "A row of 1 MiB and a byte.", attack="A30")
    history = small()
    files = content(history) | {f"keys/{'1' * 64}.pem": b"x" * (MIB + 1)}
    cases.bad("hint-too-large", archive(seal(history, files)), 3, "bundle-limit", "A file in keys/ of 1 MiB and a byte.", attack="A30")
    job = first(history)
    for path, limit in [("bundle.json", 128 * MIB), ("disclosure.json", 16 * MIB), (f"backups/{job}/index.json", 256 * MIB),
                        (f"drills/{job}/receipt.json", MIB)]:  # fmt: skip
        claimed = Member(path, b"", size_field=b"%011o\0" % (limit + 1))
        name = path.split("/")[-1].split(".")[0].replace("bundle", "list")
        cases.bad(f"{name}-too-large", pack.gzip(pack.tar([claimed])), 3, "bundle-limit", f"A file that says to have a byte more than {limit >> 20} MiB.",
                  attack="A30")  # fmt: skip
