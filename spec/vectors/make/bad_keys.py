"""Attacks on pins, rotations, revocations and kept checkpoints."""

import base64

from . import audit, keys, note
from .bundle import archive, bundle, checkpoint, checkpoint_body, content, seal
from .cases import WITNESSES
from .history import History, decode_signature
from .keys import ALPHA, BETA, GAMMA, MALLORY
from .stories import pair, rotated, small


def add(cases):
    pins(cases)
    rotated_back(cases)
    rotations(cases)
    revocations(cases)
    former_key(cases)
    witnesses(cases)
    kept(cases)


def pins(cases):
    bad = cases.bad
    forged = History("small", key=MALLORY)
    forged.backup("first")
    bad("other-key-throughout", bundle(forged), 1, "key-pin", "A stranger wrote the whole bundle with his own key.", attack="A21")
    data = bundle(small())
    bad("no-pin", data, 4, "key-no-pin", "Nobody pinned a key: nothing is authentic.", attack="A21", pins=[], file="good/one-backup")
    bad("no-pin-level-0", data, 4, "key-no-pin", "Without a pin even level 0 is not decided.", attack="A32", pins=[], asked=0,
        file="good/one-backup")  # fmt: skip
    bad("pin-of-stranger", data, 1, "key-pin", "The pinned key is none of the chain's.", attack="A21", pins=[MALLORY],
        file="good/one-backup")  # fmt: skip
    bad("fingerprint-of-stranger", data, 1, "key-pin", "The pinned fingerprint is none of the chain's.", pins=[],
        fingerprints=[MALLORY.id], file="good/one-backup")  # fmt: skip
    bad("fingerprint-without-hint", bundle(small(), hints=[]), 4, "key-unavailable",
        "The key's bytes are nowhere to be found.", attack="A21", pins=[], fingerprints=[ALPHA.id])  # fmt: skip
    files = content(small()) | {f"keys/{ALPHA.hex}.pem": MALLORY.pem.encode()}
    bad("fingerprint-with-wrong-hint", archive(seal(small(), files)), 4, "key-unavailable",
        "The hint under the pinned name is another key.", attack="A21", pins=[], fingerprints=[ALPHA.id])  # fmt: skip
    cases.keep("keys/weak.pub.pem", keys.WEAK_PEM.encode())
    cases.keep("keys/garbage.pub.pem", b"not a key\n")
    cases.keep("keys/alpha-and-weak.pub.pem", (ALPHA.pem + keys.WEAK_PEM).encode())
    for name, why in [("weak", "A weak key is refused on load."), ("garbage", "A pinned file holds no key."),
                      ("alpha-and-weak", "One of two pinned keys is weak.")]:  # fmt: skip
        bad(f"pin-{name}", data, 2, "", why, attack="U1" if name == "garbage" else "A22", pubkeys=[f"keys/{name}.pub.pem"], file="good/one-backup")
    for level, why in [(3, "Nobody witnessed the checkpoint."), (4, "No kept checkpoint was given.")]:
        bad(f"level-{level}-not-reached", data, 4, "level", why, attack="A32", asked=level, file="good/one-backup")
    data = bundle(rotated(), hints=[BETA])
    bad("rotated-old-key-nowhere", data, 4, "key-unavailable", "The new key is pinned; the old key's bytes are nowhere.", pins=[BETA])


def rotated_back(cases):
    """To a key that the chain had before: the row that brings its bytes comes after one that it signed."""
    history = History("back")
    history.backup("under alpha")
    history.rotate(BETA).backup("under beta")
    history.rotate(ALPHA).backup("under alpha again")
    data, file = bundle(history, hints=[]), "rotated-back-without-hints"
    for key in (ALPHA, BETA):
        cases.good(f"rotated-back-{key.name}-pinned", data, f"The chain rotated back, and {key.name} is pinned.", attack="A23", pins=[key],
                   file=file)  # fmt: skip
        cases.good(f"rotated-back-{key.name}-by-fingerprint", data, "The rotations have the bytes of both keys.", attack="A23", pins=[],
                   fingerprints=[key.id], file=file)  # fmt: skip


def rotations(cases):
    def bad(name, edit, why, exit=1, codes="key-rotation", new=BETA):
        history = History("rotated")
        history.backup("under alpha")
        payload = history.rotation(new)
        edit(history, payload)
        history.add("key.rotated", payload)
        history.key = new
        history.named_keys.append(new)
        history.backup("under beta")
        cases.bad(name, bundle(history), exit, codes, why, attack="A23")

    bad("rotation-not-signed-by-old", lambda h, p: p.update(oldSignature=h.rotation(BETA, old=MALLORY)["oldSignature"]),
        "The old key never agreed to the rotation.")  # fmt: skip
    bad("rotation-not-signed-by-new", lambda h, p: p.update(newSignature=p["oldSignature"]), "The new key never agreed.")
    bad("rotation-signatures-swapped", lambda h, p: p.update(oldSignature=p["newSignature"], newSignature=p["oldSignature"]),
        "Each signature stands in the other's place.")  # fmt: skip
    bad("rotation-for-other-seq", lambda h, p: p.update(h.rotation(BETA, seq=99)), "The rotation was signed for another place in the chain.")
    bad("rotation-for-other-chain", lambda h, p: p.update(h.rotation(BETA, chainId=h.new_id("elsewhere"))), "The rotation of another chain.")
    bad("rotation-other-type", lambda h, p: p.update(h.rotation(BETA, type="walwarden.other")), "A signature made for another purpose.")
    bad("rotation-key-id-of-other-key", lambda h, p: p.update(newPublicKey=GAMMA.pem), "newKeyId is not the id of newPublicKey.")
    bad("rotation-from-stranger", lambda h, p: p.update(h.rotation(BETA, old=MALLORY)), "oldKeyId is not the chain's key.")
    bad("rotation-to-weak-key", lambda h, p: p.update(newPublicKey=keys.WEAK_PEM, newKeyId=keys.key_id(keys.WEAK_RAW)),
        "A weak key is refused on load.", 3, "chain-form")  # fmt: skip
    bad("rotation-key-not-pem", lambda h, p: p.update(newPublicKey=base64.b64encode(BETA.raw).decode()), "The new key is not PEM.", 3, "chain-form")
    bad("rotation-signature-malleable", malleable_old, "The old signature's S is not reduced.")

    history = rotated()
    history.key = ALPHA
    cases.bad("checkpoint-by-retired-key", archive(seal(history, content(history), BETA)), 1, "checkpoint-signature",
              "A retired key signs the checkpoint.", attack="A23")  # fmt: skip
    history = rotated()
    cases.bad("bundle-by-retired-key", bundle(history, ALPHA), 1, "statement-signature", "A retired key signs the bundle.", attack="A23")
    history = History("rotated")
    history.rotate(BETA)
    history.backup("backdated", by=ALPHA, edit=lambda manifest: manifest["signer"].update(keyId=ALPHA.id))
    cases.bad("manifest-by-retired-key", bundle(history), 1, "manifest-signer", "A stolen old key signs a manifest after the rotation.", attack="A23")
    history = History("rotated")
    history.backup("early", by=BETA, edit=lambda manifest: manifest["signer"].update(keyId=BETA.id))
    history.rotate(BETA)
    cases.bad("manifest-by-future-key", bundle(history), 1, "manifest-signer", "The new key signs a manifest of before its rotation.", attack="A23")


def malleable_old(history, payload):
    signature = keys.malleable(decode_signature(payload["oldSignature"]))
    payload["oldSignature"] = "ed25519:" + base64.b64encode(signature).decode()


def revocations(cases):
    def bad(name, history, why):
        cases.bad(name, bundle(history), 1, "key-revoked", why, attack="A23")

    def revoked(history, key):
        history.add("key.revoked", {"keyId": key.id, "reason": "stolen"})
        return history

    bad("current-key-revoked", revoked(small(), ALPHA), "The chain's key is revoked and signs the checkpoint nevertheless.")
    history = revoked(small(), ALPHA)
    cases.bad("current-key-revoked-bytes-nowhere", bundle(history, hints=[]), 1, "key-revoked key-unavailable",
              "A revoked key must not sign, whether its bytes are known or not.", attack="A23", pins=[], fingerprints=[ALPHA.id])  # fmt: skip
    kept = cases.keep("kept/small-7-by-revoked.checkpoint", checkpoint(history))
    files = {path: data for path, data in content(history).items() if path != "checkpoint"}
    cases.bad("kept-by-revoked-key", archive(files), 1, "bundle-file-missing key-revoked", "The kept checkpoint is by a revoked key; there is no other.",
              attack="A23", kept=kept)  # fmt: skip
    history = revoked(small(), ALPHA)
    history.backup("after")
    bad("backup-under-revoked-key", history, "A backup after the chain's key was revoked.")
    bad("rotated-after-revocation", revoked(small(), ALPHA).rotate(BETA), "A revoked key names its successor: rotate first, revoke after.")
    bad("rotated-to-revoked-key", revoked(small(), BETA).rotate(BETA), "A rotation to a key that was revoked before.")
    bad("rotated-back-to-revoked-key", revoked(rotated(), ALPHA).rotate(ALPHA), "A rotation back to the revoked first key.")


def former_key(cases):
    """Whoever has a former key goes on from before its rotation, as if that had never been."""
    true, forged = rotated(), History("rotated")
    forged.backup("under alpha")
    assert forged.rows == true.rows[:6]
    forged.wait(1800).backup("forged")
    forged.wait(3600).backup("forged too")
    data, file = bundle(forged), "fork-by-former-key"
    cases.good(file, data, "A former key's thief leaves the rotation out. Who pins that key alone cannot see it.", attack="A23")

    def bad(name, exit, codes, why, **options):
        cases.bad(f"{file}-{name}", data, exit, codes, why, attack="A23", file=f"good/{file}", **options)

    cases.good(f"{file}-both-pinned", data, "Nor who pins both keys: one that is the chain's is enough. The report names the other.",
               attack="A23", file=file, pins=[ALPHA, BETA])  # fmt: skip
    current = audit.policy(cases, "current-key", currentKeyId=BETA.id)
    bad("current-key-demanded", 1, "policy-key", "Both keys are pinned, and the policy names the newest.", pins=[ALPHA, BETA],
        policy=current)  # fmt: skip
    bad("newest-pinned", 1, "key-pin", "The newest key is pinned, and is none of this chain's.", pins=[BETA])
    later = cases.keep("kept/rotated-12.checkpoint", checkpoint(true))
    bad("checkpoint-kept", 1, "kept-checkpoint-root kept-checkpoint-signature", "A checkpoint of after the rotation was kept.", kept=later)
    asked = "".join(f"witness w {note.vkey(name, witness.raw, 4)}\nquorum w\n" for name, witness in list(WITNESSES.items())[:1])
    policy = cases.keep("policies/one-witness.policy", asked.encode())
    kept_rotation = History("rotated")
    kept_rotation.backup("under alpha", databaseName="other")
    kept_rotation.add("key.rotated", dict(true.rows[6]["payload"]))
    cases.bad(f"{file}-rotation-copied", bundle(kept_rotation, ALPHA), 1, "checkpoint-signature statement-signature",
              "He rewrites what was before and copies the rotation, which does not sign it: the newest key would have to.",
              attack="A23", pins=[BETA])  # fmt: skip
    bad("witness-asked", 4, "witness-quorum", "No witness cosigned the fork.", witness_policy=policy)


def witnesses(cases):
    (first_name, first), (second_name, second) = list(WITNESSES.items())[:2]
    vkeys = [note.vkey(name, key.raw, 4) for name, key in WITNESSES.items()]
    history = pair()
    text = checkpoint_body(history)
    other = text.replace(b"\n11\n", b"\n10\n")

    def bad(name, line, exit, codes, why, asked=3):
        data = bundle(history, checkpoint_bytes=checkpoint(history, more_lines=[line]))
        cases.bad(name, data, exit, codes, why, attack="A5", witnesses=vkeys[:1], asked=asked)

    good_line = note.cosignature_line(first_name, first, text, 1795230000)
    broken = bytearray(base64.b64decode(good_line.split()[2]))
    broken[11] ^= 1
    wrong_time = f"— {first_name} {note.b64(bytes(broken))}\n".encode()
    bad("cosignature-of-other-time", wrong_time, 1, "witness-signature", "The witness's time was changed after it signed.")
    bad("cosignature-good-beside-broken", good_line + wrong_time, 1, "witness-signature level",
        "Of a witness one of whose lines fails none counts.")  # fmt: skip
    bad("cosignature-of-other-checkpoint", note.cosignature_line(first_name, first, other, 1795230000), 1, "witness-signature",
        "The witness cosigned another checkpoint.")  # fmt: skip
    forged = note.cosignature_line(first_name, MALLORY, text, 1795230000).split()
    forged = f"— {first_name} ".encode() + base64.b64encode(
        note.note_key_id(first_name, first.raw, 4) + base64.b64decode(forged[2])[4:]
    ) + b"\n"  # fmt: skip
    bad("cosignature-forged", forged, 1, "witness-signature", "A stranger signed under the witness's name and key id.")
    bad("cosignature-by-other-witness", note.cosignature_line(second_name, second, text, 1795230000), 4, "level",
        "Only a witness whom the auditor does not know cosigned.")  # fmt: skip
    short = base64.b64decode(good_line.split()[2])[:-1]
    bad("cosignature-short", f"— {first_name} {note.b64(short)}\n".encode(), 1, "", "A cosignature of 75 bytes.")


def kept(cases):
    bad = cases.bad
    history = pair()
    data = bundle(history)

    def keep(name, content):
        return cases.keep(f"kept/{name}.checkpoint", content)

    honest = cases.keep("kept/pair-11.checkpoint", checkpoint(history))
    older = small_of(history)
    bad("rolled-back", bundle(older), 1, "kept-checkpoint-size", "An older bundle, valid in itself.", attack="A7", kept=honest)
    rewritten = History("pair")
    rewritten.backup("first", databaseName="other")
    rewritten.wait(3600).backup("second")
    bad("rewritten-by-key-holder", bundle(rewritten), 1, "kept-checkpoint-root", "The key holder rewrote the whole chain.",
        attack="A5", kept=honest)  # fmt: skip
    forked = older.clone()
    forked.wait(7200).backup("third")
    bad("split-view", bundle(forked), 1, "kept-checkpoint-root", "Two valid histories of equal length for two auditors.", attack="A6",
        kept=honest)  # fmt: skip
    longer = forked.clone()
    longer.wait(7200).backup("fourth")
    bad("split-view-longer", bundle(longer), 1, "kept-checkpoint-root", "A longer history that left the kept one.", attack="A6", kept=honest)
    foreign = keep("other-chain", checkpoint(small()))
    bad("kept-of-other-chain", data, 1, "kept-checkpoint-origin", "The kept checkpoint is of another chain.", attack="A18",
        kept=foreign, file="good/two-backups")  # fmt: skip
    stranger = keep("pair-6-by-mallory", checkpoint(history, 6, MALLORY))
    bad("kept-by-stranger", data, 1, "kept-checkpoint-signature", "The kept checkpoint is not signed by the chain's key.",
        kept=stranger, file="good/two-backups")  # fmt: skip
    for name, key in [("", ALPHA), ("-by-stranger", MALLORY)]:
        bad(f"kept-of-no-rows{name}", data, 1, "kept-checkpoint-size", "Nothing goes on from no rows; nor had the chain a key to sign that.",
            attack="A7", kept=keep(f"pair-0{name}", checkpoint(history, 0, key)), file="good/two-backups")  # fmt: skip
    broken = keep("not-a-note", b"walwarden\n")
    bad("kept-malformed", data, 3, "kept-checkpoint-form", "The kept checkpoint is no signed note.", attack="U1", kept=broken,
        file="good/two-backups")  # fmt: skip


def small_of(history):
    """The same history before its second backup, as it could have been exported then."""
    older = history.clone()
    older.rows = older.rows[:6]
    older.backups = dict(list(older.backups.items())[:1])
    return older
