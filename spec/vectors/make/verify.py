"""A second verifier, written from the pages of spec/ alone: levels, witnesses, a kept checkpoint, policies, timestamps.

`python3 -m make.verify --bundle FILE --pubkey FILE` prints one line per failure and exits as spec/evidence.md says.
"""

import argparse
import hashlib
import re
import sys
from pathlib import Path

from . import demands, forms, papers, timestamps
from .reader import MIB, Malformed, base64_bytes, canonical, gunzip, pem_keys, untar
from .replay import replay
from .signatures import good_signature, key_id, sha256
from .tree import Tree, leaf
from .witness import Quorum, Usage, read_vkey

# What the auditor demands beyond the format: it takes no level away.
DEMANDS = {"witness-quorum", "witness-log", "timestamp-authority", "policy-subject", "policy-key", "policy-minimum",
           "policy-witnesses", "policy-age", "policy-time", "policy-gap", "policy-disclosure"}  # fmt: skip
LAST_SECOND = 253402300799  # of the year 9999
REQUIRED = ["audit_events.json", "checkpoint", "bundle.json"]
EXIT_OF = {"bundle-file-missing": 4, "statement-file-missing": 4, "key-no-pin": 4, "key-unavailable": 4,
           "manifest-missing": 4, "receipt-missing": 4, "witness-quorum": 4, "level": 4, "timestamp-authority": 4,
           "kept-checkpoint-hidden": 4, "policy-witnesses": 4, "policy-time": 4, "policy-disclosure": 4}  # fmt: skip


class Verifier:
    def __init__(self, pubkeys=(), fingerprints=(), witnesses=(), kept=None, quorum=None, policy=None, as_of=None, authorities=()):
        self.failures = []  # (exit, code, detail)
        self.keys = {}
        self.pins = set(fingerprints)
        for data in pubkeys:
            try:
                for raw in pem_keys(data):
                    self.keys[key_id(raw)] = raw
                    self.pins.add(key_id(raw))
            except Malformed as error:
                raise Usage(error.detail) from error
        if not all(re.fullmatch("sha256:[0-9a-f]{64}", pin) for pin in self.pins):
            raise Usage("not a fingerprint")
        self.witnesses = [read_vkey(text, 4) for text in witnesses]
        self.quorum = Quorum(quorum) if quorum is not None else None
        self.policy = demands.read_policy(policy) if policy is not None else None
        if as_of is not None:
            try:
                forms.time(as_of)
            except Malformed as error:
                raise Usage(f"as of: {error.detail}") from error
        self.as_of = as_of
        self.authorities = timestamps.authorities(authorities) if authorities else None
        if self.quorum:
            self.witnesses += self.quorum.witnesses
            for _, _, raw in self.quorum.logs:
                self.keys[key_id(raw)] = raw
                self.pins.add(key_id(raw))
        self.kept = kept
        self.level, self.reached = None, []
        self.signed = False  # by the chain's key, whatever it be

    def fail(self, code, detail="", exit=None):
        self.failures.append((exit or EXIT_OF.get(code, 1), code, detail))

    def demand(self, good, code, detail=""):
        if not good:
            self.fail(code, detail)
        return good

    def exit(self, but=()):
        exits = {exit for exit, code, _ in self.failures if code not in but}
        return next((code for code in (3, 1, 4) if code in exits), 0)

    def run(self, data, asked=2):
        try:
            files = untar(gunzip(data))
        except Malformed as error:
            self.fail(error.code, error.detail, 3)
            return self.exit()
        self.parse(files)
        if not any(exit == 3 for exit, _, _ in self.failures):
            self.judge(files)
        if self.exit(but=DEMANDS) in (3, 1):
            self.reached = []
        self.level = max(self.reached, default=None)
        enough = asked in self.reached if asked > 2 else self.reached and self.level >= asked
        self.demand(enough, "level", f"level {asked} is not reached")
        return self.exit()

    def read_levels(self):
        """The levels that nothing stands against so far; policies are asked later."""
        codes = {code for _, code, _ in self.failures} - DEMANDS
        if not self.signed or codes & {"key-no-pin", "key-unavailable"}:
            return [0]
        if self.part or codes:
            return [0, 1]
        return [0, 1, 2] + ([3] if self.cosigned else []) + ([4] if self.kept_note else [])

    # Form

    def parse(self, files):
        for name in REQUIRED:
            there = name in files or (name == "audit_events.json" and "disclosure.json" in files)
            self.demand(there, "bundle-file-missing", name)
        self.rows = self.read(files, "audit_events.json", forms.rows, "chain-form")
        if any(len(canonical(row)) > MIB for row in self.rows or []):
            self.fail("bundle-limit", "a row of more than 1 MiB", 3)
        if sum(row["kind"] in ("key.rotated", "key.revoked") for row in self.rows or []) > 10_000:
            self.fail("bundle-limit", "more than 10,000 rows rotate or revoke keys", 3)
        for kinds in ({"backup.completed"}, {"drill.passed", "drill.failed"}):
            if sum(row["kind"] in kinds for row in self.rows or []) > 200_000:
                self.fail("bundle-limit", "more than 200,000 rows complete a backup, or end a drill", 3)
        if len({row["jobId"] for row in self.rows or [] if row["jobId"]}) > 2_000_000:
            self.fail("bundle-limit", "more than 2,000,000 jobs", 3)
        self.part = self.read(files, "disclosure.json", forms.disclosure, "disclosure-form")
        self.envelope = self.read(files, "bundle.json", forms.envelope, "statement-form")
        self.statement = self.payload = self.note = self.kept_note = None
        if self.envelope:
            self.attempt(self.read_statement, "statement-form")
        if "checkpoint" in files:
            self.note = self.attempt(lambda: forms.Note(files["checkpoint"]), "checkpoint-form")
        if "checkpoint.tsr" in files:
            self.attempt(lambda: timestamps.form(files["checkpoint.tsr"]), timestamps.FORM)
        if self.kept:
            self.kept_note = self.attempt(lambda: forms.Note(self.kept), "kept-checkpoint-form")
        kinds = {"manifest.json": (forms.manifest, "manifest-form"), "index.json": (forms.index, "index-form"),
                 "receipt.json": (forms.receipt, "receipt-form")}  # fmt: skip
        self.documents = {}
        for path in files:
            form = kinds.get(path.rsplit("/")[-1])
            if form:
                self.documents[path] = self.read(files, path, *form)
        for path in files:
            if path.startswith("keys/"):
                self.take_hint(path, files[path])

    def attempt(self, read, code):
        try:
            return read()
        except Malformed as error:
            self.fail(error.code or code, error.detail, 3)

    def read(self, files, path, form, code):
        if path in files:
            return self.attempt(lambda: forms.document(files[path], form), code)

    def read_statement(self):
        self.payload = base64_bytes(self.envelope["payload"])
        statement = forms.document(self.payload, forms.statement)
        names = [subject["name"] for subject in statement["subject"]]
        forms.need("bundle.json" not in names, "bundle.json lists itself")
        if len(names) > 200_000:
            raise Malformed("bundle-limit", "too many files listed")
        forms.need(names == sorted(set(names), key=str.encode), "subjects are not sorted or not unique")
        self.statement = statement

    def take_hint(self, path, data):
        try:
            keys = pem_keys(data)
        except Malformed:
            return  # a hint that cannot be read hints at nothing
        if len(keys) == 1 and path == f"keys/{key_id(keys[0]).removeprefix('sha256:')}.pem":
            self.keys.setdefault(key_id(keys[0]), keys[0])

    # Meaning

    def judge(self, files):
        self.demand(self.pins, "key-no-pin")
        self.cosigned, self.seen = set(), {}  # `seen` has the times of each witness, whatever the quorum
        self.covered = False  # the rows, by a checkpoint of their chain
        self.artifacts, self.stamped_at = 0, None
        self.genesis = None
        if self.statement:
            self.judge_listing(files)
        if self.part:
            self.demand(self.rows is None, "disclosure-cover", "all rows stand beside those shown")
            self.rows = self.part["rows"]
        if self.rows is None:
            return
        if not self.demand(self.rows and self.rows[0]["kind"] == "chain.genesis", "chain-genesis"):
            return
        self.genesis = self.rows[0]["payload"]
        self.chain = replay(self)
        chain_keys = {name for _, name in self.chain.key_changes}
        if self.pins:
            self.demand(self.pins & chain_keys, "key-pin", "no pinned key is one of the chain's")
        self.origin = f"walwarden/{self.genesis['orgId']}/{self.genesis['chainId']}"
        if self.note:
            self.stamped_at = timestamps.judge(files.get("checkpoint.tsr"), self.note.text, self.authorities, self)
        self.tree = self.read_tree()
        if not self.tree:
            return
        # By place: what a row says of its own is judged already.
        self.hashes = {place: row["hash"] for place, row in enumerate(self.rows, 1)}
        if self.part:
            before = {row["seq"] - 1: row["prevHash"] for row in self.rows}
            self.hashes = before | {row["seq"]: row["hash"] for row in self.rows}
        if self.statement:
            self.judge_statement()
        if self.note:
            self.judge_checkpoint()
        if self.quorum:
            self.judge_quorum(chain_keys)
        if self.kept_note:
            self.judge_kept()
        papers.judge_manifests(self, files)
        papers.judge_receipts(self, files)
        demands.judge_times(self)
        self.reached = self.read_levels()
        if self.policy:
            demands.judge(self.policy, self, self.as_of or demands.this_moment())

    def judge_listing(self, files):
        listed = {subject["name"]: subject["digest"]["sha256"] for subject in self.statement["subject"]}
        for name, data in files.items():
            if name != "bundle.json":
                self.demand(listed.get(name) == sha256(data), "statement-files", name)
        for name in listed:
            self.demand(name in files and name != "bundle.json", "statement-file-missing", name)

    def judge_statement(self):
        predicate, last = self.statement["predicate"], self.rows[-1]
        same = all(predicate[name] == self.genesis[name] for name in ("orgId", "databaseId", "chainId"))
        self.demand(same, "statement-subject")
        shown = len(self.rows) if self.part else None
        facts = (1, self.tree.size, sum(row["kind"] == "backup.completed" for row in self.rows), shown)
        stated = (*(predicate[name] for name in ("firstSeq", "lastSeq", "backups")), predicate.get("rowsShown"))
        self.demand(stated == facts, "statement-range", f"{stated} instead of {facts}")
        self.demand(predicate["createdAt"] >= last["at"], "statement-time")
        raw = self.signing_key(self.tree.size)
        if raw:
            kind = self.envelope["payloadType"].encode()
            message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)
            signatures = [base64_bytes(one["sig"]) for one in self.envelope["signatures"]]
            good = any(good_signature(raw, one, message) for one in signatures)
            self.signed |= self.demand(good, "statement-signature")

    def read_tree(self):
        """The chain's tree from its rows, or from those shown and the nodes for the others; none if they leave it open."""
        if not self.part:
            return Tree([(1, leaf(canonical(row))) for row in self.rows])
        rows = [(row["seq"], 1, leaf(canonical(row))) for row in self.rows]
        nodes = [(node["firstSeq"], node["rows"], bytes.fromhex(node["hash"])) for node in self.part["hidden"]]
        in_order = rows == sorted(rows) and nodes == sorted(nodes, key=lambda node: node[0])
        pieces, place = sorted(rows + nodes), 1
        for seq, count, _ in pieces:
            whole = count > 0 and count & (count - 1) == 0 and (seq - 1) % count == 0
            in_order = in_order and seq == place and whole
            place += count
        if self.demand(in_order and place - 1 == self.part["size"], "disclosure-cover"):
            return Tree([(count, digest) for _, count, digest in pieces])

    def signing_key(self, seq):
        """The bytes of the chain's key at a seq, if known; a revoked one is a failure."""
        name = self.chain.key_at(seq)
        self.demand(self.chain.revoked.get(name, seq + 1) > seq, "key-revoked", f"{name} signs at seq {seq}")
        self.demand(name in self.keys, "key-unavailable", name)
        return self.keys.get(name)

    def judge_note(self, note, seq, name):
        """Whether the note is signed by the chain's key at this place, under the note's own origin, and by nobody known wrongly."""
        raw = self.signing_key(seq)
        if not raw:
            return False
        wanted = hashlib.sha256(note.origin.encode() + b"\n\x01" + raw).digest()[:4]
        own = [value for signer, number, value in note.signatures if (signer, number) == (note.origin, wanted)]
        good = own and all(len(value) == 64 and good_signature(raw, value, note.text) for value in own)
        return self.demand(bool(good), f"{name}-signature")

    def cosignatures(self, note):
        """Key and times of each witness known who signed the note, and none of whose lines fails."""
        for name, number, raw in self.witnesses:
            times, flawless = [], True
            for value in [value for signer, one, value in note.signatures if (signer, one) == (name, number)]:
                seconds, value = int.from_bytes(value[:8], "big"), value[8:]
                text = b"cosignature/v1\ntime %d\n" % seconds + note.text
                good = len(value) == 64 and seconds <= LAST_SECOND and good_signature(raw, value, text)
                flawless = self.demand(good, "witness-signature", name) and flawless
                times.append(seconds)
            if times and flawless:
                yield raw, times

    def judge_checkpoint(self):
        note = self.note
        ours = self.demand(note.origin == self.origin, "checkpoint-origin")
        if self.demand(note.size == self.tree.size, "checkpoint-size"):
            self.covered = self.demand(note.root == self.tree.root(), "checkpoint-root") and ours
        self.signed |= self.judge_note(note, self.tree.size, "checkpoint")
        for raw, times in self.cosignatures(note):
            self.cosigned.add(raw)
            self.seen.setdefault(raw, []).extend(times)

    def judge_quorum(self, chain_keys):
        logs = [name == self.origin and key_id(raw) in chain_keys for name, _, raw in self.quorum.logs]
        self.demand(not logs or any(logs), "witness-log", "the chain is none of the policy's logs")
        if not self.quorum.wanted:
            self.cosigned = set()
        elif not self.demand(self.quorum.is_met_by(self.cosigned), "witness-quorum"):
            self.cosigned = set()

    def judge_kept(self):
        note = self.kept_note
        self.demand(note.origin == self.origin, "kept-checkpoint-origin")
        if self.demand(1 <= note.size <= self.tree.size, "kept-checkpoint-size"):
            root = self.tree.root(note.size)
            if self.demand(root, "kept-checkpoint-hidden"):
                self.demand(note.root == root, "kept-checkpoint-root")
        if note.size:  # before the first row there is no key
            self.judge_note(note, note.size, "kept-checkpoint")
        list(self.cosignatures(note))

    def signed_by_chain(self, document, seq, name, path):
        """The signer is the chain's key at this place, and the signature is by the signer."""
        owner, signer = self.chain.key_at(seq), document["signer"]["keyId"]
        allowed = self.demand(signer == owner, f"{name}-signer", path)
        unrevoked = self.chain.revoked.get(owner, seq + 1) > seq
        self.demand(unrevoked, "key-revoked", f"{owner} signs at seq {seq}")
        if self.demand(signer in self.keys, "key-unavailable", signer):
            message = canonical({field: value for field, value in document.items() if field != "signature"})
            signature = base64_bytes(document["signature"].removeprefix("ed25519:"))
            good = self.demand(good_signature(self.keys[signer], signature, message), f"{name}-signature", path)
            self.signed |= good and allowed and unrevoked


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="verify", description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--pubkey", type=Path, action="append", default=[])
    parser.add_argument("--fingerprint", action="append", default=[])
    parser.add_argument("--witness", action="append", default=[])
    parser.add_argument("--witness-policy", type=Path)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--as-of")
    parser.add_argument("--since", type=Path)
    parser.add_argument("--tsa-ca", type=Path, action="append", default=[])
    parser.add_argument("--level", type=int, choices=range(5), default=2)
    chosen = parser.parse_args(arguments)
    try:
        kept = chosen.since.read_bytes() if chosen.since else None
        quorum = chosen.witness_policy.read_bytes() if chosen.witness_policy else None
        policy = chosen.policy.read_bytes() if chosen.policy else None
        pubkeys = [path.read_bytes() for path in chosen.pubkey]
        authorities = [path.read_bytes() for path in chosen.tsa_ca]
        verifier = Verifier(pubkeys, chosen.fingerprint, chosen.witness, kept, quorum, policy, chosen.as_of, authorities)
        code = verifier.run(chosen.bundle.read_bytes(), chosen.level)
    except (Usage, OSError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2
    for _, name, detail in verifier.failures:
        print(f"FAIL: {name} {ascii(detail)}")
    if code == 0:
        print(f"OK: level {verifier.level}, {len(verifier.rows)} events")
    return code


if __name__ == "__main__":
    sys.exit(main())
