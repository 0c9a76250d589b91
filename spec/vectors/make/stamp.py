"""TimeStampResp (RFC 3161), of which every part can be replaced, for attacks."""

import hashlib

from .authority import HASH_OIDS, name, stamps
from .der import NOTHING, boolean, context, generalized, integer, octets, oid, seq, set_of, tlv

DATA, SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
AT = "20261121040000Z"


def digest_of(kind):
    return seq(oid(HASH_OIDS[kind]), NOTHING)


def info(over, at=AT, imprint="sha256", imprint_named=None, imprint_bytes=64, version=1, tail=b""):
    """TSTInfo over these bytes; `at` is a time or the DER in its place, `tail` are the fields after it."""
    digest = hashlib.new(imprint, over).digest()[:imprint_bytes]
    return seq(integer(version), oid("1.2.3.4"), seq(digest_of(imprint_named or imprint), octets(digest)), integer(7),
               generalized(at) if isinstance(at, str) else at, tail)  # fmt: skip


def tail(certificate):
    """Every optional field: accuracy, ordering, nonce, the authority's name, an extension."""
    more = seq(oid("1.2.3.5"), octets(NOTHING))
    return seq(integer(1)) + boolean(True) + integer(2**63) + context(0, context(4, name(certificate.subject))) + context(1, more)


def attribute(kind, *values):
    return seq(oid(kind), set_of(*values))


def names_v2(certificate, digest="sha256"):
    algorithm = [] if digest == "sha256" else [seq(oid(HASH_OIDS[digest]))]
    named = seq(*algorithm, octets(hashlib.new(digest, certificate.der).digest()))
    return attribute(SIGNING_CERTIFICATE_V2, seq(seq(named)))


def names_v1(certificate):
    return attribute(SIGNING_CERTIFICATE, seq(seq(seq(octets(hashlib.sha1(certificate.der).digest())))))


def attributes(content, certificate, digest="sha256", content_type=TST_INFO, named=None):
    """The signed attributes, by what they say."""
    return {
        "type": attribute(CONTENT_TYPE, oid(content_type)),
        "digest": attribute(MESSAGE_DIGEST, octets(hashlib.new(digest, content).digest())),
        "certificate": named or names_v2(certificate),
    }


def signer_info(signed, certificate, digest="sha256", by=None, algorithm=None, edit=None, unsigned=b""):
    """`edit` has its way with the signature, `signed` are attributes or none."""
    key = by or certificate.key
    message = set_of(*signed)
    signature = key.sign(message, digest)
    tagged = b"\xa0" + message[1:] if signed else b""
    return seq(integer(1), certificate.issuer_and_serial, digest_of(digest), tagged, algorithm or key.algorithm(digest),
               octets(edit(signature) if edit else signature), unsigned)  # fmt: skip


def token(content, signers, certificates, content_type=TST_INFO, digest="sha256", more=b""):
    encapsulated = seq(oid(content_type), context(0, octets(content)))
    inside = context(0, *certificates) if certificates else b""
    data = seq(integer(3), tlv(0x31, digest_of(digest)), encapsulated, inside, more, set_of(*signers))
    return seq(oid(SIGNED_DATA), context(0, data))


def response(token_bytes, status=0, more=b""):
    return seq(seq(integer(status)), token_bytes, more)


def stamp(over, certificate=None, chain=(), digest="sha256", content=None, drop=(), signed=None, named=None, status=0,
          token_options=None, signer_options=None, content_type=TST_INFO, **info_options):  # fmt: skip
    """What an honest authority answers, unless told otherwise. `chain` are further certificates."""
    certificate = certificate or stamps()
    content = info(over, **info_options) if content is None else content
    if signed is None:
        told = attributes(content, certificate, digest, content_type, named)
        signed = [value for what, value in told.items() if what not in drop]
    one = signer_info(signed, certificate, digest, **(signer_options or {}))
    held = [] if "itself" in drop else [certificate.der]
    held += [other.der for other in chain]
    return response(token(content, [one], held, digest=digest, **(token_options or {})), status)
