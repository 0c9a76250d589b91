"""Signed notes, checkpoints and cosignatures of C2SP (signed-note, tlog-checkpoint, tlog-cosignature)."""

import base64
import hashlib

ED25519, COSIGNATURE_V1 = 1, 4


def b64(data):
    return base64.b64encode(data).decode()


def note_key_id(name, raw, algorithm=ED25519):
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + raw).digest()[:4]


def vkey(name, raw, algorithm=ED25519):
    return f"{name}+{note_key_id(name, raw, algorithm).hex()}+{b64(bytes([algorithm]) + raw)}"


def body(origin, size, root):
    return f"{origin}\n{size}\n{b64(root)}\n".encode()


def signature_line(name, key, text):
    return f"— {name} {b64(note_key_id(name, key.raw) + key.sign(text))}\n".encode()


def cosignature_line(name, key, text, unix_seconds):
    message = b"cosignature/v1\ntime %d\n" % unix_seconds + text
    signature = unix_seconds.to_bytes(8, "big") + key.sign(message)
    return f"— {name} {b64(note_key_id(name, key.raw, COSIGNATURE_V1) + signature)}\n".encode()


def checkpoint(origin, size, root, key, more_lines=()):
    text = body(origin, size, root)
    return text + b"\n" + signature_line(origin, key, text) + b"".join(more_lines)
