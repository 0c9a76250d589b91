"""Collects bundles and what a verifier must say of them."""

from .keys import ALPHA, key


class Cases:
    def __init__(self):
        self.files = {}
        self.cases = []

    def keep(self, path, data):
        """A file of the vectors, by its path under spec/vectors."""
        assert self.files.setdefault(path, data) == data, f"{path} is made twice, differently"
        return path

    def good(self, name, data, why, level=2, **args):
        self._add("good", name, data, why, exit=0, codes=[], level=level, **args)

    def bad(self, name, data, exit, codes, why, level=None, **args):
        """`codes` are some of those that fail; the second verifier adds the others, and the level where it is left open."""
        self._add("bad", name, data, why, exit=exit, codes=codes.split(), level=level, **args)

    def _add(self, folder, name, data, why, exit, codes, level, attack=None, pins=(ALPHA,), pubkeys=None,
             fingerprints=(), witnesses=(), witness_policy=None, policy=None, as_of=None, kept=None,
             authorities=(), asked=2, file=None):  # fmt: skip
        assert all(case["name"] != name for case in self.cases), f"{name} is named twice"
        stem = file or name
        path = stem if "/" in stem else f"{folder}/{stem}"
        path = self.keep(f"{path}.evidence.tgz", data)
        if pubkeys is None:
            pubkeys = [f"keys/{pin.name}.pub.pem" for pin in pins]
        self.cases.append(
            {"name": name, "file": path, "attack": attack,
             "args": {"pubkeys": pubkeys, "fingerprints": list(fingerprints), "witnesses": list(witnesses),
                      "witnessPolicy": witness_policy, "policy": policy, "asOf": as_of, "keptCheckpoint": kept,
                      "authorities": list(authorities), "level": asked},
             "requires": ["timestamps"] if authorities or "stamp-" in path else [],
             "exit": exit, "codes": codes, "level": level, "why": why}
        )  # fmt: skip


WITNESSES = {f"witness.example/{name}": key(f"witness {name}") for name in ("one", "two", "three")}
