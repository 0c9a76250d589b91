"""Time stamping authorities for the vectors: keys from labels, and certificates byte by byte. Never use the keys for anything else."""

import base64
import hashlib
from functools import cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .der import GENERALIZED, NOTHING, UTC, bits, boolean, context, integer, octets, oid, seq, set_of, tlv, utf8
from .history import stream

HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
HASH_OIDS = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2",
             "sha512": "2.16.840.1.101.3.4.2.3"}  # fmt: skip
RSA, ED25519 = "1.2.840.113549.1.1.1", "1.3.101.112"
RSA_WITH = {"sha1": "1.2.840.113549.1.1.5", "sha256": "1.2.840.113549.1.1.11", "sha384": "1.2.840.113549.1.1.12",
            "sha512": "1.2.840.113549.1.1.13"}  # fmt: skip
ECDSA_WITH = {"sha1": "1.2.840.10045.4.1", "sha256": "1.2.840.10045.4.3.2", "sha384": "1.2.840.10045.4.3.3",
              "sha512": "1.2.840.10045.4.3.4"}  # fmt: skip
CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1(), "secp256k1": ec.SECP256K1()}


def prime(label, size):
    """The first likely prime from a label's number on, with the two highest bits set."""
    number = int.from_bytes(stream(label, size), "big") | 3 << (8 * size - 2) | 1
    while any(number % small == 0 for small in range(3, 2000, 2)) or any(pow(base, number - 1, number) != 1 for base in (2, 3, 5)):
        number += 2
    return number


def rsa_key(label, size):
    p, q, e = prime(f"{label} p", size // 16), prime(f"{label} q", size // 16), 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), public)
    return numbers.private_key()


class StampKey:
    """A key of a kind (`ed25519`, `rsa2048`, `p256`, …), made from its label. All its signatures are deterministic."""

    def __init__(self, kind, label):
        self.kind = kind
        seed = hashlib.sha512(f"walwarden test key {label}".encode()).digest()
        if kind == "ed25519":
            self.private = Ed25519PrivateKey.from_private_bytes(seed[:32])
        elif kind in CURVES:
            self.private = ec.derive_private_key(int.from_bytes(seed[:31], "big"), CURVES[kind])
        else:
            self.private = rsa_key(label, int(kind.removeprefix("rsa")))
        encoding = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        self.spki = self.private.public_key().public_bytes(*encoding)

    def sign(self, message, digest="sha256"):
        if self.kind == "ed25519":
            return self.private.sign(message)
        if self.kind in CURVES:
            return self.private.sign(message, ec.ECDSA(HASHES[digest], deterministic_signing=True))
        return self.private.sign(message, padding.PKCS1v15(), HASHES[digest])

    def algorithm(self, digest="sha256"):
        """The AlgorithmIdentifier of such a signature."""
        if self.kind == "ed25519":
            return seq(oid(ED25519))
        return seq(oid(ECDSA_WITH[digest])) if self.kind in CURVES else seq(oid(RSA_WITH[digest]), NOTHING)


stamp_key = cache(StampKey)

CONSTRAINTS, USAGE, EXTENDED, NAME_CONSTRAINTS = "2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.30"
STAMPING, SERVER = "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.1"
SIGN_DATA, ENCIPHER, SIGN_CERTIFICATES = 0x80, 0x20, 0x04


def extension(name, value, critical=True):
    return seq(oid(name), *([boolean(True)] if critical else []), octets(value))


def constraints(ca=True, below=None):
    return extension(CONSTRAINTS, seq(*([boolean(True)] if ca else []), *([] if below is None else [integer(below)])))


def usage(flags):
    return extension(USAGE, tlv(3, bytes([(flags & -flags).bit_length() - 1, flags])))


def extended(*uses, critical=True):
    return extension(EXTENDED, seq(*(oid(use) for use in uses or [STAMPING])), critical)


FOR_CA = (constraints(), usage(SIGN_CERTIFICATES))
FOR_STAMPS = (constraints(ca=False), usage(SIGN_DATA), extended())
VALID = ("250101000000Z", "350101000000Z")


def name(text):
    return seq(set_of(seq(oid("2.5.4.3"), utf8(text))))


class Certificate:
    """Signed by `issuer`, or by itself. `inner` is the algorithm named within, `altered` changes a byte after signing."""

    def __init__(self, subject, key, issuer=None, extensions=FOR_STAMPS, valid=VALID, serial=1, inner=None, altered=False,
                 issuer_name=None):  # fmt: skip
        self.subject, self.key = subject, key
        signer = issuer or self
        digest = "sha512" if signer.key.kind == "p521" else "sha256"
        algorithm = signer.key.algorithm(digest)
        times = seq(*(tlv(UTC if len(time) == 13 else GENERALIZED, time.encode()) for time in valid))
        body = seq(context(0, integer(2)), integer(serial), inner or algorithm, name(issuer_name or signer.subject), times, name(subject),
                   key.spki, context(3, seq(*extensions)))  # fmt: skip
        self.issuer_and_serial = seq(name(signer.subject), integer(serial))
        signature = signer.key.sign(body, digest)
        if altered:
            body = body.replace(b"Stamps", b"STAMPS")
        self.der = seq(body, algorithm, bits(signature))

    def pem(self):
        text = base64.b64encode(self.der).decode()
        lines = "".join(text[at : at + 64] + "\n" for at in range(0, len(text), 64))
        return f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n"


@cache
def root(kind="p256"):
    return Certificate(f"Root of {kind}", stamp_key(kind, f"root {kind}"), extensions=FOR_CA)


@cache
def stamps(kind="p256"):
    """An authority's own certificate, below the root of its kind."""
    return Certificate(f"Stamps of {kind}", stamp_key(kind, f"stamps {kind}"), root(kind), serial=2)
