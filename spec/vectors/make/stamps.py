"""Timestamps over checkpoints: by authorities of every kind, and whatever can be wrong with them."""

from copy import copy
from functools import partial

from . import note
from .authority import (ENCIPHER, FOR_CA, FOR_STAMPS, HASH_OIDS, NAME_CONSTRAINTS, SERVER, SIGN_CERTIFICATES, SIGN_DATA, STAMPING,
                        Certificate, constraints, extended, extension, root, stamp_key, stamps, usage)  # fmt: skip
from .bundle import archive, bundle, checkpoint, checkpoint_body, content, seal
from .cases import WITNESSES
from .der import NOTHING, OID, UTC, boolean, context, generalized, integer, octets, oid, seq, set_of, tlv
from .disclosure import disclosed, shown_for
from .history import sha256
from .jcs import canonical
from .keys import malleable
from .quorum import SECONDS, VKEYS
from .stamp import (AT, DATA, MESSAGE_DIGEST, SIGNING_CERTIFICATE_V2, attribute, attributes, info, names_v1, names_v2, response, signer_info, stamp,
                    tail, token)  # fmt: skip
from .stories import first, pair

ROOT = "authorities/p256.pem"
KINDS = ["ed25519", "rsa2048", "p256", "p384", "p521"]


def add(cases):
    for kind in KINDS:
        keep(cases, kind, root(kind))
    good(cases)
    policies(cases)
    of_something_else(cases)
    badly_signed(cases)
    malformed(cases)
    without_rows(cases)
    by_others(cases)
    unusable(cases)


def keep(cases, name, *certificates):
    return cases.keep(f"authorities/{name}.pem", "".join(certificate.pem() for certificate in certificates).encode())


def over():
    return checkpoint_body(pair())


def stamped(timestamp, history=None, **options):
    return bundle(history or pair(), timestamp=timestamp, **options)


def below(kind="p256", subject="Stamps", **options):
    return Certificate(subject, stamp_key(kind, f"stamps {kind}"), root(), serial=options.pop("serial", 9), **options)


def good(cases):
    def ok(name, timestamp, why, authorities=(ROOT,), data=None, **options):
        data = data or stamped(timestamp)
        cases.good(f"stamp-{name}", data, why, authorities=authorities, **options)

    for kind, digest in [("ed25519", "sha256"), ("ed25519", "sha512"), ("rsa2048", "sha256"), ("rsa2048", "sha384"),
                         ("rsa2048", "sha512"), ("p256", "sha256"), ("p256", "sha384"), ("p384", "sha256"), ("p384", "sha384"),
                         ("p521", "sha512")]:  # fmt: skip
        ok(f"{kind}-{digest}", stamp(over(), stamps(kind), digest=digest), f"Signed with {kind} and {digest}.",
           [f"authorities/{kind}.pem"])  # fmt: skip
    plain = seq(oid("1.2.840.113549.1.1.1"), NOTHING)
    ok("rsa-digest-apart", stamp(over(), stamps("rsa2048"), signer_options={"algorithm": plain}),
       "The signature's algorithm is RSA alone; the digest is that of the attributes.", ["authorities/rsa2048.pem"])  # fmt: skip
    middle, chained = intermediate()
    ok("intermediate", stamp(over(), chained, [middle]), "A certificate between the authority's own and its root.")
    ok("intermediate-named", stamp(over(), chained), "The auditor names what lies between, which is no root.",
       [keep(cases, "intermediate", middle)], file="stamp-without-intermediate")  # fmt: skip
    itself = Certificate("Between", middle.key, extensions=FOR_CA, serial=7)
    for order, others in [("first", [middle, itself]), ("last", [itself, middle])]:
        ok(f"cross-certificate-{order}", stamp(over(), chained, others), "The certificate between issued itself, too: the path goes by the other.")
    ok("two-ways", stamp(over(), chained, [elsewhere(middle), middle]), "What is between is also issued by a root that nobody named.")
    ok("many-certificates", stamp(over(), chain=[root()] * 31), "The response holds 32 certificates.")
    ok("path-of-five", stamped_below(5), "Five certificates stand between the authority's own and its root.")
    ok("signer-named", stamp(over()), "The auditor names the authority's own certificate.",
       [keep(cases, "signer", stamps())], file="stamp-p256-sha256")  # fmt: skip
    ok("one-of-several", stamp(over()), "One of the authorities named stamped it.", ["authorities/ed25519.pem", ROOT],
       file="stamp-p256-sha256")  # fmt: skip
    ok("two-in-one-file", stamp(over()), "A file may hold several certificates.",
       [keep(cases, "two", root("ed25519"), root())], file="stamp-p256-sha256")  # fmt: skip
    ok("unasked", stamp(over()), "No authority is named: who stamped it is not asked.", [], file="stamp-p256-sha256")
    ok("stranger-unasked", stamp(over(), below(extensions=FOR_CA)), "Nor whether its certificate is for stamping.", [],
       file="stamp-by-ca")  # fmt: skip
    told = attributes(info(over()), stamps())
    ok("named-twice", stamp(over(), signed=[*told.values(), names_v1(stamps())]), "The certificate is named as RFC 2634 does, besides.")
    ok("named-by-sha1", stamp(over(), named=names_v1(stamps())), "The certificate is named as RFC 2634 does.")
    ok("named-by-sha512", stamp(over(), named=names_v2(stamps(), "sha512")), "The certificate is named by another digest.")
    ok("granted-with-changes", stamp(over(), status=1), "The authority granted it, with changes.")
    ok("every-field", stamp(over(), at="20261121040000.5Z", tail=tail(stamps())), "Every optional field of TSTInfo.")
    ok("unsigned-attribute", stamp(over(), signer_options={"unsigned": context(1, attribute("1.2.3.4", NOTHING))}),
       "Attributes that are not signed.")  # fmt: skip
    ok("more-certificates", stamp(over(), chain=[stamps("rsa2048"), root()]), "The response holds other certificates too.")
    starts = below(valid=("261121040000Z", "350101000000Z"))
    ok("first-moment", stamp(over(), starts), "The authority's certificate begins to be valid.")
    ok("valid-for-ages", stamp(over(), below(valid=("09990101000000Z", "99991231235959Z"))), "Years before 1950 and after 2049 have four digits.")
    ok("last-moment", stamp(over(), at="20350101000000Z"), "The certificates are valid for the last second.")
    later = Certificate("Stamps", stamp_key("p256", "later"), root(), valid=("20261121040000Z"[2:], "20261121040000Z"[2:]))
    ok("valid-just-then", stamp(over(), later), "The certificate was valid at that second, and at no other.")
    lax = below(extensions=(extended(), extension("1.2.3.4", NOTHING, critical=False)))
    ok("unrestricted", stamp(over(), lax), "No key usage, no basic constraints, and an extension that is not critical.")
    history = pair()
    witnessed = bundle(history, checkpoint_bytes=cosigned_checkpoint(), timestamp=stamp(over()))
    ok("beside-witness", None, "A witness cosigned the checkpoint that was stamped.", data=witnessed, level=3, asked=3,
       witnesses=list(VKEYS.values())[:1])  # fmt: skip
    part = disclosed(history, shown_for(history, first(history)), timestamp=stamp(over()))
    ok("of-part", None, "Part of a chain, with a timestamp.", data=part, level=1, asked=1)


def intermediate(**changes):
    options = {"extensions": (constraints(below=0), usage(SIGN_CERTIFICATES))} | changes
    middle = Certificate("Between", stamp_key("p256", "between"), root(), serial=5, **options)
    return middle, Certificate("Stamps", stamp_key("p256", "stamps between"), middle, serial=6)


def elsewhere(middle):
    return Certificate(middle.subject, middle.key, root("ed25519"), FOR_CA, serial=8)


def stamped_below(count):
    """By an authority with so many certificates between it and the root."""
    issuer, between = root(), []
    for number in range(count):
        issuer = Certificate(f"Between {number}", stamp_key("p256", f"between {number}"), issuer, FOR_CA, serial=20 + number)
        between.append(issuer)
    return stamp(over(), Certificate("Stamps", stamp_key("p256", "far below"), issuer, serial=30), between)


def policies(cases):
    def policy(name, hours):
        document = b'{"type":"walwarden.audit-policy","formatVersion":1,"maxCheckpointAgeHours":%d}\n' % hours
        return cases.keep(f"policies/audit-{name}.json", document)

    limit, file, now = policy("stamp", 2), "stamp-p256-sha256", "2026-11-21T05:00:00.000Z"
    both = bundle(pair(), checkpoint_bytes=cosigned_checkpoint(), timestamp=stamp(over()))
    cases.bad("audit-stamp-is-not-fresh", stamped(stamp(over())), 4, "policy-time",
              "A timestamp does not say that the checkpoint was the latest: anybody has an old one stamped anew.", policy=limit,
              file=f"good/{file}", as_of=now, authorities=[ROOT], attack="A7")  # fmt: skip
    cases.bad("audit-stamp-after-witness", both, 1, "policy-age", "The timestamp is young enough, the witness's word is not.",
              policy=limit, file="good/stamp-beside-witness", as_of="2026-11-21T05:00:00.001Z", authorities=[ROOT],
              witnesses=list(VKEYS.values())[:1], attack="A7")  # fmt: skip
    hour_before = stamp(over(), at="20261121020011Z")
    cases.good("stamp-hour-before-last-row", stamped(hour_before), "The last row is dated an hour after the timestamp: clocks may be apart.",
               authorities=[ROOT])  # fmt: skip
    earlier = stamp(over(), at="20261121020010.999Z")
    cases.bad("stamp-before-last-row", stamped(earlier), 1, "checkpoint-time", "The last row is dated more than an hour after the timestamp.",
              authorities=[ROOT], attack="A24")  # fmt: skip
    cases.good("stamp-before-last-row-unasked", stamped(earlier), "Nobody the auditor trusts contradicts the rows.",
               file="bad/stamp-before-last-row")  # fmt: skip


def cosigned_checkpoint():
    return checkpoint(pair(), more_lines=[note.cosignature_line(*list(WITNESSES.items())[0], over(), SECONDS)])


def bad_by(cases, exit, codes):
    def bad(name, timestamp, why, authorities=(ROOT,), **options):
        cases.bad(f"stamp-{name}", stamped(timestamp), exit, codes, why, attack={1: "T1", 3: "T2", 4: "T3"}[exit],
                  authorities=authorities, **options)  # fmt: skip

    return bad


def of_something_else(cases):
    bad = bad_by(cases, 1, "timestamp-signature")
    bad("over-earlier-checkpoint", stamp(checkpoint(pair(), 6).split(b"\n\n")[0] + b"\n"), "It is over an earlier checkpoint.")
    bad("over-signed-note", stamp(checkpoint(pair())), "It is over the checkpoint with its signatures.")
    bad("over-lines-without-newline", stamp(over()[:-1]), "The last newline belongs to what is stamped.")
    bad("imprint-sha1", stamp(over(), imprint="sha1"), "The imprint is by SHA-1.")
    bad("imprint-sha512", stamp(over(), imprint="sha512"), "The imprint is by SHA-512: queries are with SHA-256.")
    bad("imprint-misnamed", stamp(over(), imprint_named="sha512"), "The digest is said to be another one than it is.")
    bad("imprint-cut", stamp(over(), imprint_bytes=31), "The last byte of the imprint is missing.")


def badly_signed(cases):
    bad = bad_by(cases, 1, "timestamp-signature")

    def signed_by(**options):
        return stamp(over(), signer_options=options)

    def flipped(signature):
        return signature[:-1] + bytes([signature[-1] ^ 1])

    told = attributes(info(over()), stamps())
    bad("signature-altered", signed_by(edit=flipped), "One bit of the signature is flipped.")
    bad("signature-malleable", stamp(over(), stamps("ed25519"), signer_options={"edit": malleable}),
        "S of the signature is beyond the group's order.", ["authorities/ed25519.pem"])  # fmt: skip
    bad("signature-cut", signed_by(edit=lambda signature: signature[:-1]), "A byte of the signature is missing.")
    bad("signature-by-other-key", signed_by(by=stamp_key("p256", "somebody")), "Signed by another key than the certificate's.")
    for kind, digest in [("rsa2048", "sha256"), ("ed25519", "sha256")]:
        bad(f"signature-altered-{kind}", stamp(over(), stamps(kind), signer_options={"edit": flipped}), f"An altered signature of {kind}.",
            [f"authorities/{kind}.pem"])  # fmt: skip
    bad("rsa-of-1024-bits", stamp(over(), below("rsa1024")), "RSA of fewer than 2048 bits proves nothing.")
    moved = stamp(over()).replace(b"20261121040000Z", b"20261121030000Z")
    bad("time-altered", moved, "The time was changed after signing: the digest is of another content.")
    changed = stamp(over(), signed=[*told.values(), attribute("1.2.3.4", integer(1))])
    bad("attribute-altered", changed.replace(attribute("1.2.3.4", integer(1)), attribute("1.2.3.4", integer(2))),
        "An attribute was changed after signing.")  # fmt: skip
    bad("digest-of-other-content", stamp(over(), signed=attributes(info(b"other"), stamps()).values()), "The message digest is of another content.")
    other = Certificate("Other stamps", stamp_key("p256", "other stamps"), root(), serial=4)
    bad("names-other-certificate", stamp(over(), chain=[other], named=names_v2(other)),
        "The certificate named is another one of the response.")  # fmt: skip
    bad("names-absent-certificate", stamp(over(), named=names_v2(stamps("rsa2048"))), "The certificate named is not in the response.")
    bad("names-no-certificate", stamp(over(), drop=["certificate"]), "No certificate is named.")
    bad("without-certificate", stamp(over(), drop=["itself"]), "The response holds no certificate.")
    part = seal(pair(), content(pair()))
    cases.bad("stamp-not-listed", archive(part | {"checkpoint.tsr": stamp(over())}), 1, "statement-files",
              "The timestamp was added after the list was signed.", attack="A19", authorities=[ROOT])  # fmt: skip


def malformed(cases):
    bad = bad_by(cases, 3, "timestamp-form")
    whole, told = stamp(over()), attributes(info(over()), stamps())
    sealed = partial(stamp, over())
    bad("empty", b"", "An empty file.")
    bad("no-der", b"no timestamp\n", "Something else.")
    bad("not-granted", response(b"", 2), "The authority refused.")
    bad("waiting", seq(seq(integer(3))), "The authority has not yet answered.")
    bad("refused-with-token", sealed(status=2), "A refusal that holds a token is a refusal.")
    bad("without-token", response(b""), "Granted, but there is no token.")
    bad("bare-token", token(info(over()), [signer_info(told.values(), stamps())], [stamps().der]),
        "The token alone, without the response around it.")  # fmt: skip
    bad("trailing-byte", whole + b"\0", "A byte follows.")
    bad("cut-off", whole[:-1], "The last byte is missing.")
    bare = token(info(over()), [signer_info(told.values(), stamps())], [stamps().der])
    bad("more-after-token", response(bare, more=integer(0)), "Something stands behind the token.")
    bad("more-after-signature", sealed(signer_options={"unsigned": integer(0)}), "Something stands behind the signature.")
    bad("more-among-fields", sealed(token_options={"more": integer(0)}), "Something stands before the signers.")
    bad("two-responses", whole + whole, "Two responses.")
    bad("length-missing", b"\x30\x81", "The length ends before it begins.")
    bad("too-many-certificates", sealed(chain=[root()] * 32), "The response holds 33 certificates.")
    body = whole[4:]
    bad("indefinite-length", b"\x30\x80" + body + b"\0\0", "BER: a value of indefinite length.")
    bad("length-not-shortest", b"\x30\x83\0" + whole[2:], "BER: a length with a zero before it.")
    bad("content-type-missing", sealed(drop=["type"]), "The attribute content type is missing.")
    bad("content-type-other", sealed(signed=attributes(info(over()), stamps(), content_type=DATA).values()), "The attribute content type is another one.")
    bad("digest-missing", sealed(drop=["digest"]), "The attribute message digest is missing.")
    twice = [*told.values(), attribute(MESSAGE_DIGEST, octets(bytes(32)))]
    bad("digest-twice", sealed(signed=twice), "The attribute message digest is there twice.")
    values = [told["type"], told["certificate"], seq(oid(MESSAGE_DIGEST), set_of(octets(bytes(32)), octets(bytes.fromhex(sha256(info(over()))))))]
    bad("digest-of-two-values", sealed(signed=values), "The attribute message digest has two values.")
    bad("unsigned-attributes-only", sealed(signed=[]), "No attributes are signed.")
    bad("named-by-two-of-sha1", sealed(signed=[*told.values(), names_v1(stamps()), names_v1(stamps())]),
        "Two attributes name the certificate as RFC 2634 does, beside the one that counts.")  # fmt: skip
    elsewhere_over = attributes(info(b"other"), stamps()).values()
    bad("named-by-two-of-other-content", sealed(signed=[*elsewhere_over, names_v1(stamps()), names_v1(stamps())]),
        "Two attributes name the certificate, and the message digest is of another content.")  # fmt: skip
    bad("content-no-timestamp", sealed(token_options={"content_type": DATA}), "What is signed is said to be no TSTInfo.")
    signer = signer_info(told.values(), stamps())
    other = signer_info(attributes(info(over()), stamps("rsa2048")).values(), stamps("rsa2048"))
    certificates = [stamps().der, stamps("rsa2048").der]
    bad("two-signers", response(token(info(over()), [signer, other], certificates)), "Two signers: one stamps.")
    bad("no-signer", response(token(info(over()), [], certificates)), "Nobody signed.")
    bad("version-2", sealed(version=2), "TSTInfo of another version.")
    for name, more, why in [
        ("field-unknown", tlv(0x0C, b"one"), "TSTInfo has a field that is none of its own."),
        ("field-of-long-tag", b"\xbf\x20\x00", "TSTInfo has a field whose tag is of two bytes."),
        ("field-behind-extensions", context(1, extension("1.2.3.5", NOTHING, critical=False)) + integer(1), "A field of TSTInfo is out of order."),
    ]:
        bad(name, sealed(tail=more), why)
    bad("critical-extension", sealed(tail=context(1, extension("1.2.3.5", NOTHING))), "An extension of TSTInfo that must be understood.")
    for name, at, why in [
        ("time-of-zone", "20261121050000+0100", "A time that is not in UTC."),
        ("time-without-zone", "20261121040000", "A time without its Z."),
        ("time-without-seconds", "202611210400Z", "A time without seconds."),
        ("time-of-february", "20260230040000Z", "No such day."),
    ]:
        bad(name, sealed(at=at), why)
    bad("time-utc", sealed(at=tlv(UTC, b"261121040000Z")), "The time is a UTCTime.")
    bad("signed-with-sha1", stamp(over(), stamps("rsa2048"), digest="sha1"), "The signature is by SHA-1.", ["authorities/rsa2048.pem"])
    pss = seq(oid("1.2.840.113549.1.1.10"), seq())
    bad("signed-with-pss", stamp(over(), stamps("rsa2048"), signer_options={"algorithm": pss}), "RSA-PSS is not read.", ["authorities/rsa2048.pem"])
    bad("signed-on-secp256k1", stamp(over(), below("secp256k1")), "ECDSA on another curve.")
    bad("algorithm-of-other-key", sealed(signer_options={"algorithm": stamp_key("ed25519", "any").algorithm()}), "The algorithm is not the key's.")
    junk = seq(integer(1))
    bad("certificate-malformed", sealed(chain=[type("Junk", (), {"der": junk})]), "One of the certificates is none.")
    two = below(inner=stamp_key("ed25519", "any").algorithm())
    bad("certificate-of-two-algorithms", stamp(over(), two), "The certificate names two algorithms.")
    almost_true = extension("1.2.3.4", NOTHING).replace(boolean(True), tlv(1, b"\1"))
    bad("certificate-not-der", stamp(over(), below(extensions=(*FOR_STAMPS, almost_true))), "BER: true is written otherwise in the certificate.")
    bad("attributes-otherwise-tagged", sealed(signed=[b"\xa2" + one[1:] for one in told.values()]), "The signed attributes are no sequences.")
    for name, unread in [("without-values", seq(oid("1.2.3.4"))), ("with-more", seq(oid("1.2.3.4"), set_of(NOTHING), NOTHING))]:
        bad(f"attribute-{name}", sealed(signed=[*told.values(), unread]), "A signed attribute that nobody reads is not in form.")
    empty = attribute(SIGNING_CERTIFICATE_V2)
    for name, more in [("named-by-nothing", []), ("named-by-nothing-and-sha1", [names_v1(stamps())])]:
        bad(name, sealed(signed=[told["type"], told["digest"], empty, *more]), "The attribute that names the certificate is empty.")
    number = stamps().issuer_and_serial
    otherwise = copy(stamps())
    otherwise.issuer_and_serial = tlv(0x0C, number[2:])
    bad("signer-otherwise-named", stamp(over(), otherwise), "Who signed is told by a text.")
    hashed = oid(HASH_OIDS["sha256"])
    for name, policy, algorithm, why in [
        ("policy-of-no-arcs", tlv(OID), hashed, "An object identifier is empty."),
        ("imprint-of-long-arcs", oid("1.2.3.4"), tlv(OID, hashed[2:-1], b"\x80\1"), "An arc of an object identifier begins with zero bits."),
        ("imprint-of-open-arc", oid("1.2.3.4"), tlv(OID, hashed[2:-1], b"\x81"), "The last arc of an object identifier does not end."),
    ]:
        content = seq(integer(1), policy, seq(seq(algorithm), octets(bytes.fromhex(sha256(over())))), integer(7), generalized(AT))
        bad(name, sealed(content=content), why)
    retagged = b"\xe0" + extension("1.2.3.4", NOTHING, critical=False)[1:]
    bad("certificate-extension-tagged", stamp(over(), below(extensions=(*FOR_STAMPS, retagged))), "An extension is no sequence.")
    longer = copy(stamp_key("p256", "stamps p256"))
    longer.spki = seq(longer.spki[2:], NOTHING)
    bad("certificate-key-and-more", stamp(over(), Certificate("Stamps", longer, root(), serial=9)), "Something stands behind the key.")
    bad("certificate-of-year-zero", stamp(over(), below(valid=("00000101000000Z", "350101000000Z"))), "The certificate begins in the year 0000.")
    cases.bad("stamp-too-large", stamped(bytes(2**20 + 1)), 3, "bundle-limit", "A timestamp of more than 1 MiB.", attack="A30",
              authorities=[ROOT])  # fmt: skip


def without_rows(cases):
    """The form is read whether or not there is a checkpoint of a chain to be stamped."""

    def bad(name, data, codes, why):
        cases.bad(f"stamp-no-der-{name}", data, 3, codes, f"The timestamp is none, {why}", attack="T2", authorities=[ROOT])

    rowless = seal(pair(), {path: data for path, data in content(pair(), timestamp=b"no").items() if path != "audit_events.json"})
    left = content(pair(), timestamp=stamp(b""))
    del left["checkpoint"]
    cases.bad("stamp-of-nothing", archive(seal(pair(), left)), 4, "bundle-file-missing", "The timestamp is over nothing, and there is no checkpoint.",
              attack="T1", authorities=[ROOT])  # fmt: skip
    bad("without-chain", archive(rowless), "timestamp-form bundle-file-missing", "and there is no chain.")
    started = seal(pair(), content(pair(), timestamp=b"no") | {"audit_events.json": canonical(pair().rows[1:])})
    bad("without-genesis", archive(started), "timestamp-form", "and the chain does not begin.")
    shown = shown_for(pair(), first(pair()))
    uncovered = disclosed(pair(), shown, edit=lambda part: part["hidden"].pop(), timestamp=b"no")
    bad("of-part", uncovered, "timestamp-form", "and the rows shown do not make the chain.")


def by_others(cases):
    bad = bad_by(cases, 4, "timestamp-authority")
    itself = Certificate("Root of p256", stamp_key("p256", "impostor"), extensions=FOR_CA)
    stranger = Certificate("Stamps of p256", stamp_key("p256", "stamps p256"), itself, serial=2)
    bad("unknown-root", stamp(over()), "The authority is not one of those named.", ["authorities/ed25519.pem"], file="good/stamp-p256-sha256")
    bad("root-of-same-name", stamp(over(), stranger), "Another root has the same name.")
    bad("brings-its-root", stamp(over(), stranger, [itself]), "A root that only the response names.")
    cases.bad("stamp-missing", bundle(pair()), 4, "timestamp-authority", "A timestamp is demanded, and there is none.",
              attack="T3", file="good/two-backups", authorities=[ROOT])  # fmt: skip
    for name, extensions, why in [
        ("no-purpose", (constraints(ca=False), usage(SIGN_DATA)), "The certificate is not said to be for time stamping."),
        ("purpose-not-critical", (usage(SIGN_DATA), extended(critical=False)), "The purpose is not critical."),
        ("purpose-of-two", (usage(SIGN_DATA), extended(STAMPING, SERVER)), "The certificate is for something else, too."),
        ("purpose-other", (usage(SIGN_DATA), extended(SERVER)), "The certificate is for something else."),
        ("usage-other", (usage(ENCIPHER), extended()), "The key is not for signatures."),
        ("by-ca-for-stamps", (constraints(), usage(SIGN_DATA), extended()), "An authority that issues certificates stamps nothing."),
        ("critical-unknown", (*FOR_STAMPS, extension("1.2.3.4", NOTHING)), "A critical extension that no reader knows."),
    ]:
        bad(name, stamp(over(), below(extensions=extensions)), why)
    for name, valid, why in [
        ("expired", ("250101000000Z", "261121035959Z"), "The certificate had expired a second before."),
        ("not-yet-valid", ("261121040001Z", "350101000000Z"), "The certificate was valid a second later."),
    ]:
        bad(name, stamp(over(), below(valid=valid)), why)
    bad("issuer-of-other-name", stamp(over(), below(issuer_name="Somebody else")), "The certificate names another issuer than the one that signed it.")
    bad("path-of-six", stamped_below(6), "Six certificates stand between.")
    old = Certificate("Old root", stamp_key("p256", "old root"), extensions=FOR_CA, valid=("200101000000Z", "261121035959Z"))
    bad("root-expired", stamp(over(), Certificate("Stamps", stamp_key("p256", "under old"), old, serial=3)),
        "The root had expired by then.", [keep(cases, "expired", old)])  # fmt: skip
    bad("certificate-altered", stamp(over(), below(altered=True)), "The certificate was changed after it was signed.")
    middle, chained = intermediate()
    bad("intermediate-missing", stamp(over(), chained), "The certificate between is missing.", file="good/stamp-without-intermediate")
    for name, changes, why in [
        ("intermediate-no-ca", {"extensions": (constraints(ca=False), usage(SIGN_CERTIFICATES))}, "What stands between is no CA."),
        ("intermediate-unconstrained", {"extensions": (usage(SIGN_CERTIFICATES),)}, "What stands between does not say that it is a CA."),
        ("intermediate-usage", {"extensions": (constraints(), usage(SIGN_DATA))}, "What stands between may not sign certificates."),
        ("intermediate-expired", {"valid": ("250101000000Z", "260101000000Z")}, "What stands between had expired."),
        ("intermediate-names", {"extensions": (*FOR_CA, extension(NAME_CONSTRAINTS, seq()))}, "A critical extension that is not read."),
    ]:
        middle, chained = intermediate(**changes)
        bad(name, stamp(over(), chained, [middle]), why)
    upper = Certificate("Upper", stamp_key("p256", "upper"), root(), serial=7, extensions=(constraints(below=0), usage(SIGN_CERTIFICATES)))
    lower = Certificate("Lower", stamp_key("p256", "lower"), upper, serial=8, extensions=FOR_CA)
    bad("path-too-long", stamp(over(), Certificate("Stamps", stamp_key("p256", "end"), lower), [lower, upper]),
        "More certificates stand between than one of them allows.")  # fmt: skip


def unusable(cases):
    data, file = stamped(stamp(over())), "good/stamp-p256-sha256"
    for name, content, why in [
        ("key", stamps().pem().replace("CERTIFICATE", "PUBLIC KEY").encode(), "The authority's file holds no certificate."),
        ("empty", b"", "The authority's file is empty."),
        ("not-der", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "What the file holds is no certificate."),
    ]:
        path = cases.keep(f"authorities/bad-{name}.pem", content)
        cases.bad(f"authority-{name}", data, 2, "", why, attack="U1", authorities=[path], file=file)
