"""Witness keys and witness policies (C2SP vkey and tlog-policy) for the second verifier."""

import hashlib
import re

from .reader import KEY_NAME, Malformed, base64_bytes, is_weak


class Usage(Exception):
    """Wrong use, or a file that cannot be read: exit 2."""


def read_vkey(text, kind):
    """Name, key id and key of a vkey of this kind: 1 signs notes, 4 cosigns checkpoints."""
    found = re.fullmatch(rf"({KEY_NAME})\+([0-9a-f]{{8}})\+(\S+)", text)
    try:
        data = base64_bytes(found[3], 33) if found else None
    except Malformed:
        data = None
    if not data or data[0] != kind:
        raise Usage(f"not a vkey of kind {kind}: {text}")
    wanted = hashlib.sha256(found[1].encode() + b"\n" + data).digest()[:4]
    if found[2] != wanted.hex() or is_weak(data[1:]):
        raise Usage(f"not a vkey: {text}")
    return found[1], wanted, data[1:]


def need(good, line):
    if not good:
        raise Usage(f"witness policy: {line!r}")


class Quorum:
    """Which sets of cosigners are enough: a tree of thresholds with keys as leaves."""

    def __init__(self, policy):
        self.logs, self.witnesses, self.trees, self.used, quorums = [], [], {}, set(), []
        need(not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", policy), "control characters")
        for line in policy.split(b"\n"):
            kind, *words = re.split(rb"[ \t]+", line.strip(b" \t"))
            if not kind or kind.startswith(b"#"):
                continue
            if kind == b"log":
                need(len(words) in (1, 2), line)
                self.add_key(self.logs, words[0], 1, line)
            elif kind == b"witness":
                need(len(words) in (2, 3), line)
                self.define(words[0], self.add_key(self.witnesses, words[1], 4, line), line)
            elif kind == b"group":
                need(len(words) >= 3, line)
                self.define(words[0], self.group(words[1], words[2:], line), line)
            else:
                need(kind == b"quorum" and len(words) == 1 and (words[0] == b"none" or words[0] in self.trees), line)
                quorums.append(words[0])
        need(len(quorums) == 1, "exactly one quorum line")
        self.wanted = None if quorums == [b"none"] else self.trees[quorums[0]]

    def add_key(self, keys, text, kind, line):
        try:
            key = read_vkey(text.decode(), kind)
        except UnicodeDecodeError as error:
            raise Usage(f"witness policy: {line!r}") from error
        need(all(key[2] != other[2] for other in keys), line)
        keys.append(key)
        return key[2]

    def group(self, threshold, members, line):
        for member in members:
            need(member in self.trees and member not in self.used, line)
            self.used.add(member)
        count = {b"any": 1, b"all": len(members)}.get(threshold)
        if count is None:
            need(re.fullmatch(rb"[1-9][0-9]{0,5}", threshold), line)
            count = int(threshold)
        need(count <= len(members), line)
        return count, [self.trees[member] for member in members]

    def define(self, name, tree, line):
        need(name != b"none" and name not in self.trees, line)
        self.trees[name] = tree

    def is_met_by(self, cosigners, tree=None):
        tree = self.wanted if tree is None else tree
        if isinstance(tree, bytes):
            return tree in cosigners
        count, members = tree
        return sum(self.is_met_by(cosigners, member) for member in members) >= count
