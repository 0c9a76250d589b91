"""Timestamps of RFC 3161 (evidence.md section 4) for the second verifier. Imports nothing of the generator."""

import base64
import binascii
import datetime
import hashlib
import re

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from .reader import Malformed
from .witness import Usage

FORM, SIGNATURE = "timestamp-form", "timestamp-signature"
SEQUENCE, SET, BOOLEAN, INTEGER, BITS, OCTETS, OID, UTC, GENERALIZED = 0x30, 0x31, 1, 2, 3, 4, 6, 0x17, 0x18
MAX_ABOVE = 6

DIGESTS = {"2.16.840.1.101.3.4.2.1": hashes.SHA256, "2.16.840.1.101.3.4.2.2": hashes.SHA384, "2.16.840.1.101.3.4.2.3": hashes.SHA512}
RSA = {"1.2.840.113549.1.1.1": None, "1.2.840.113549.1.1.11": hashes.SHA256, "1.2.840.113549.1.1.12": hashes.SHA384,
       "1.2.840.113549.1.1.13": hashes.SHA512}  # fmt: skip
ECDSA = {"1.2.840.10045.4.3.2": hashes.SHA256, "1.2.840.10045.4.3.3": hashes.SHA384, "1.2.840.10045.4.3.4": hashes.SHA512}
CURVES = {"secp256r1": (hashes.SHA256, hashes.SHA384), "secp384r1": (hashes.SHA256, hashes.SHA384), "secp521r1": (hashes.SHA512,)}
# Of the signed attributes: content type, message digest, SigningCertificateV2 and SigningCertificate.
READ = [f"1.2.840.113549.1.9.{number}" for number in ("3", "4", "16.2.47", "16.2.12")]
ED25519 = "1.3.101.112"


class Failed(Exception):
    """The signature, or what it covers, fails."""


def need(good, what):
    if not good:
        raise Malformed(FORM, what)


class Values:
    """DER values one after the other."""

    def __init__(self, data):
        self.rest = data

    def peek(self):
        return self.rest[0] if self.rest else None

    def next(self, *tags):
        """Contents and whole of the next value, which has one of these tags."""
        need(len(self.rest) >= 2 and (not tags or self.rest[0] in tags), "not the value expected")
        need(self.rest[0] & 0x1F != 0x1F, "a tag of several bytes")
        size, at = self.rest[1], 2
        if size >= 0x80:
            at += size & 0x7F
            size = int.from_bytes(self.rest[2:at], "big")
            need(2 < at <= min(6, len(self.rest)) and self.rest[2] and size >= 0x80, "not the shortest length")
        need(len(self.rest) >= at + size, "cut off")
        whole, self.rest = self.rest[: at + size], self.rest[at + size :]
        return whole[at:], whole

    def value(self, *tags):
        return self.next(*tags)[0]

    def inside(self, *tags):
        return Values(self.value(*tags))

    def optional(self, tag):
        return self.value(tag) if self.peek() == tag else None

    def flag(self):
        value = self.optional(BOOLEAN)
        need(value in (None, b"\0", b"\xff"), "not true or false")
        return value == b"\xff"

    def end(self):
        need(not self.rest, "something follows")

    def oid(self):
        return oid_text(self.value(OID))


def oid_text(body):
    parts, value = [], 0
    for byte in body:
        need(value or byte != 0x80, "not the shortest identifier")
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            parts.append(value)
            value = 0
    need(parts and body[-1] < 0x80, "not an object identifier")
    first = min(parts[0] // 40, 2)
    return ".".join(map(str, [first, parts[0] - 40 * first, *parts[1:]]))


def only(data, tag):
    """The contents of the single value in these bytes."""
    values = Values(data)
    content = values.value(tag)
    values.end()
    return content


def digest(name, data):
    need(name in DIGESTS, f"digest algorithm {name}")
    return hashlib.new(DIGESTS[name].name, data).digest()


def moment(tag, body):
    found = re.fullmatch(rb"(\d{12}|\d{14})(?:\.(\d*))?Z", body)
    need(found and len(found[1]) == (12 if tag == UTC else 14), "not a time")
    text = found[1].decode()
    if tag == UTC:
        text = ("20" if text < "50" else "19") + text
    try:
        whole = datetime.datetime.strptime(text, "%Y%m%d%H%M%S")
    except ValueError as error:
        raise Malformed(FORM, "no such time") from error
    return f"{whole.year:04}" + whole.strftime("-%m-%dT%H:%M:%S.") + ((found[2] or b"") + b"000")[:3].decode() + "Z"


def check(spki, algorithm, named_digest, message, signature):
    """A signature by the key in this SubjectPublicKeyInfo; `named_digest` counts where the algorithm names none."""
    name = Values(algorithm).inside(SEQUENCE).oid()
    try:
        key = serialization.load_der_public_key(spki)
        if isinstance(key, rsa.RSAPublicKey) and name in RSA:
            kind = RSA[name] or DIGESTS.get(named_digest)
            need(kind, "digest of RSA")
            if not 2048 <= key.key_size <= 8192:
                raise Failed
            return key.verify(signature, message, padding.PKCS1v15(), kind())
        if isinstance(key, ec.EllipticCurvePublicKey) and name in ECDSA:
            need(ECDSA[name] in CURVES.get(key.curve.name, ()), "curve and digest")
            return key.verify(signature, message, ec.ECDSA(ECDSA[name]()))
        need(isinstance(key, ed25519.Ed25519PublicKey) and name == ED25519, "signature algorithm")
        return key.verify(signature, message)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed(FORM, "public key") from error
    except InvalidSignature as error:
        raise Failed from error


class Certificate:
    def __init__(self, data):
        self.der = data
        outer = Values(only(data, SEQUENCE))
        fields, self.signed = outer.next(SEQUENCE)
        self.algorithm, bits = outer.next(SEQUENCE)[1], outer.value(BITS)
        outer.end()
        need(bits[:1] == b"\0", "unused bits")
        self.signature, fields = bits[1:], Values(fields)
        fields.optional(0xA0)
        fields.value(INTEGER)
        need(fields.next(SEQUENCE)[1] == self.algorithm, "two algorithms")
        self.issuer = fields.next(SEQUENCE)[1]
        times = fields.inside(SEQUENCE)
        self.valid = [moment(times.peek(), times.value(UTC, GENERALIZED)) for _ in range(2)]
        self.subject, self.spki = fields.next(SEQUENCE)[1], fields.next(SEQUENCE)[1]
        self.is_ca, self.below, self.usage, self.stamps_only, self.strange = False, None, None, False, False
        while fields.peek() is not None:
            tag = fields.peek()
            content = fields.value()
            if tag == 0xA3:
                extensions = Values(only(content, SEQUENCE))
                while extensions.peek() is not None:
                    self.extend(extensions.inside(SEQUENCE))

    def extend(self, fields):
        name, critical, value = fields.oid(), fields.flag(), fields.value(OCTETS)
        if name == "2.5.29.19":
            inside = Values(only(value, SEQUENCE))
            self.is_ca, below = inside.flag(), inside.optional(INTEGER)
            need(below is None or len(below) == 1, "path length")
            self.below = None if below is None else below[0]
        elif name == "2.5.29.15":
            flags = only(value, BITS)
            need(len(flags) >= 2, "key usage")
            self.usage = flags[1]
        elif name == "2.5.29.37":
            inside = Values(only(value, SEQUENCE))
            self.stamps_only = critical and inside.oid() == "1.3.6.1.5.5.7.3.8" and inside.peek() is None
        else:
            self.strange = self.strange or critical

    def may(self, flags):
        return not self.strange and (self.usage is None or self.usage & flags)

    def is_valid(self, at):
        return self.valid[0] <= at <= self.valid[1]

    def may_stamp(self):
        return self.stamps_only and not self.is_ca and self.may(0x80 | 0x40)

    def issued(self, other, below, at):
        fits = self.is_ca and self.may(0x04) and (self.below is None or below <= self.below) and self.is_valid(at)
        if not fits or self.subject != other.issuer:
            return False
        try:
            check(self.spki, other.algorithm, None, other.signed, other.signature)
        except (Failed, Malformed):
            return False
        return True


def authorities(texts):
    """The certificates of PEM files, each of which has at least one."""
    found = []
    for text in texts:
        blocks = re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", text, re.DOTALL)
        try:
            found += [Certificate(base64.b64decode(b"".join(block.split()), validate=True)) for block in blocks]
        except (Malformed, binascii.Error) as error:
            raise Usage("not a certificate") from error
        if not blocks or len(blocks) != text.count(b"-----BEGIN CERTIFICATE-----"):
            raise Usage("no certificate, or one that does not end")
    return found


def leads(signer, others, roots, at):
    if not signer.may_stamp() or not signer.is_valid(at):
        return False
    if any(root.der == signer.der for root in roots):
        return True
    level, rest = [signer], [other for other in others if other.der != signer.der]
    for below in range(MAX_ABOVE):
        if any(root.issued(one, below, at) for one in level for root in roots):
            return True
        above = [other for other in rest if any(other.issued(one, below, at) for one in level)]
        level, rest = above, [other for other in rest if other not in above]
    return False


def read(response, message):
    """The time, the signer's certificate, and all certificates of a response over this message."""
    fields = Values(only(response, SEQUENCE))
    need(fields.inside(SEQUENCE).value(INTEGER) in (b"\0", b"\1"), "not granted")
    data = Values(only(content(fields.inside(SEQUENCE), "1.2.840.113549.1.7.2"), SEQUENCE))
    fields.end()
    data.value(INTEGER)
    data.value(SET)
    info = only(content(data.inside(SEQUENCE), "1.2.840.113549.1.9.16.1.4"), OCTETS)
    certificates, held = [], Values(data.optional(0xA0) or b"")
    while held.peek() is not None:
        certificates.append(Certificate(held.next()[1]))
    need(len(certificates) <= 32, "too many certificates")
    data.optional(0xA1)
    signers = data.value(SET)
    data.end()
    at, imprint = read_info(info)
    signer = read_signer(Values(only(signers, SEQUENCE)), info, certificates)
    if imprint != ("2.16.840.1.101.3.4.2.1", hashlib.sha256(message).digest()):
        raise Failed
    return at, signer, certificates


def content(fields, wanted):
    need(fields.oid() == wanted, f"not of the type {wanted}")
    inside = fields.value(0xA0)
    fields.end()
    return inside


def read_info(info):
    fields = Values(only(info, SEQUENCE))
    need(fields.value(INTEGER) == b"\1", "version of TSTInfo")
    fields.oid()
    imprint = fields.inside(SEQUENCE)
    name, value = imprint.inside(SEQUENCE).oid(), imprint.value(OCTETS)
    fields.value(INTEGER)
    at = moment(GENERALIZED, fields.value(GENERALIZED))
    fields.optional(SEQUENCE)
    fields.flag()
    fields.optional(INTEGER)
    fields.optional(0xA0)
    extensions = Values(fields.optional(0xA1) or b"")
    while extensions.peek() is not None:
        one = extensions.inside(SEQUENCE)
        one.oid()
        need(not one.flag(), "a critical extension")
    fields.end()
    return at, (name, value)


def read_signer(fields, info, certificates):
    fields.value(INTEGER)
    fields.value(SEQUENCE, 0x80)
    named_digest = fields.inside(SEQUENCE).oid()
    inside, whole = fields.next(0xA0)
    algorithm, signature = fields.next(SEQUENCE)[1], fields.value(OCTETS)
    fields.optional(0xA1)
    fields.end()
    attributes, values = {}, Values(inside)
    while values.peek() is not None:
        one = values.inside(SEQUENCE)
        name = one.oid()
        need(name not in READ or name not in attributes, f"two attributes {name}")
        attributes[name] = one.value(SET)
        one.end()
    content_type, value, new, old = map(attributes.get, READ)
    need(content_type and oid_text(only(content_type, OID)) == "1.2.840.113549.1.9.16.1.4", "content type")
    need(value, "message digest")
    if only(value, OCTETS) != digest(named_digest, info):
        raise Failed
    signer = next(filter(named(new, old), certificates), None)
    if not signer:
        raise Failed
    check(signer.spki, algorithm, named_digest, b"\x31" + whole[1:], signature)
    return signer


def named(new, old):
    """Which certificate signed, by its digest in either attribute."""
    if new is None and old is None:
        return lambda certificate: False
    fields = Values(only(old if new is None else new, SEQUENCE)).inside(SEQUENCE).inside(SEQUENCE)
    if new is None:
        wanted = fields.value(OCTETS)
        return lambda certificate: hashlib.sha1(certificate.der).digest() == wanted
    algorithm = fields.inside(SEQUENCE).oid() if fields.peek() == SEQUENCE else "2.16.840.1.101.3.4.2.1"
    wanted = fields.value(OCTETS)
    return lambda certificate: digest(algorithm, certificate.der) == wanted


def form(response):
    """Refuses what is no response that is read, whatever it is over."""
    try:
        read(response, b"")
    except Failed:
        pass


def judge(response, message, trusted, verifier):
    """The time, if one of the trusted certificates stands for it; None for `trusted` demands nothing."""
    if response is None:
        verifier.demand(trusted is None, "timestamp-authority", "no timestamp")
        return None
    try:
        at, signer, certificates = read(response, message)
    except Failed:
        verifier.fail(SIGNATURE)
        return None
    if trusted is not None and verifier.demand(leads(signer, certificates, trusted, at), "timestamp-authority"):
        return at
    return None
