"""Digests and Ed25519 for the second verifier."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .reader import SPKI_HEAD, is_weak


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def key_id(raw):
    return "sha256:" + sha256(SPKI_HEAD + raw)


def good_signature(raw, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except InvalidSignature:
        return False
    return not is_weak(signature[:32])
