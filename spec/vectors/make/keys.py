"""The published test keys. Never use them for anything else."""

import base64
import hashlib
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# The order of the group's prime-order part (RFC 8032 section 5.1).
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
# The twelve-byte head of every Ed25519 SubjectPublicKeyInfo (RFC 8410).
SPKI_HEAD = bytes.fromhex("302a300506032b6570032100")


class Key:
    """An Ed25519 key whose seed is the SHA-256 of `walwarden test key <name>`."""

    def __init__(self, name):
        self.name = name
        self.seed = hashlib.sha256(b"walwarden test key " + name.encode()).digest()
        self._private = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.raw = self._private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        self.id = key_id(self.raw)
        self.hex = self.id.removeprefix("sha256:")
        self.pem = spki_pem(self.raw)

    def private_pem(self):
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def sign(self, message):
        return self._private.sign(message)

    def sign_text(self, message):
        """The signature as our documents write it."""
        return "ed25519:" + base64.b64encode(self.sign(message)).decode()


def key_id(raw):
    return "sha256:" + hashlib.sha256(SPKI_HEAD + raw).hexdigest()


def spki_pem(raw):
    body = base64.b64encode(SPKI_HEAD + raw).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


def malleable(signature):
    """The same signature with S replaced by S + L: equal for a lax verifier, refused by RFC 8032."""
    s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    return signature[:32] + s.to_bytes(32, "little")


# The neutral element: with it as public key, one signature fits every message.
WEAK_RAW = bytes([1]) + bytes(31)
WEAK_PEM = spki_pem(WEAK_RAW)


@cache
def key(name):
    return Key(name)


ALPHA, BETA, GAMMA = key("alpha"), key("beta"), key("gamma")
MALLORY = key("mallory")
ALL = [ALPHA, BETA, GAMMA, MALLORY]
