"""Bundles that show part of a chain, and attacks on them."""

import base64

from . import note
from .bundle import archive, checkpoint, checkpoint_body, content, envelope, seal, statement
from .cases import WITNESSES
from .history import History, row_hash, sha256
from .jcs import canonical
from .keys import ALPHA, BETA
from .merkle import root
from .quorum import SECONDS
from .stories import drilled, first, last, organisation, pair, rotated

PREDICATE_TYPE = "https://walwarden.dev/evidence-disclosure/v1"
KEY_KINDS = ["chain.genesis", "key.rotated", "key.revoked"]


def shown_for(history, *jobs):
    """The rows of these jobs, and those about keys."""
    return [row["seq"] for row in history.rows if row["jobId"] in jobs or row["kind"] in KEY_KINDS]


def hidden_nodes(history, shown, aligned=0):
    """Whole subtrees, the largest that begin in their place and end before the next row shown."""
    size, at, nodes = len(history.rows), 0, []
    while at < size:
        if at + 1 in shown:
            at += 1
            continue
        stop = min([size, *(seq - 1 for seq in shown if seq > at), *([aligned] if aligned > at else [])])
        rows = 1
        while at % (2 * rows) == 0 and at + 2 * rows <= stop:
            rows *= 2
        leaves = [canonical(row) for row in history.rows[at : at + rows]]
        nodes.append({"firstSeq": at + 1, "rows": rows, "hash": root(leaves).hex()})
        at += rows
    return nodes


def document(history, shown, aligned=0):
    return {"type": "walwarden.disclosure", "formatVersion": 1, "size": len(history.rows),
            "rows": [row for row in history.rows if row["seq"] in shown],
            "hidden": hidden_nodes(history, shown, aligned)}  # fmt: skip


def files_of(history, shown, document, **options):
    """Every file but bundle.json, of the jobs shown alone."""
    jobs = {row["jobId"] for row in history.rows if row["seq"] in shown}
    files = content(history, **options)
    del files["audit_events.json"]
    other = [path for path in files if path.startswith(("backups/", "drills/")) and path.split("/")[1] not in jobs]
    for path in other:
        del files[path]
    return files | {"disclosure.json": canonical(document)}


def seal_part(history, files, shown, *signers, predicate_type=PREDICATE_TYPE, **changes):
    facts = {"rowsShown": len(shown)}
    facts["backups"] = sum(row["kind"] == "backup.completed" and row["seq"] in shown for row in history.rows)
    listing = statement(history, files, **(facts | changes)) | {"predicateType": predicate_type}
    return files | {"bundle.json": canonical(envelope(canonical(listing), *(signers or [history.key])))}


def disclosed(history, shown, edit=None, aligned=0, predicate=None, **options):
    """The whole bundle; `edit` has its way with disclosure.json."""
    part = document(history, shown, aligned)
    if edit:
        edit(part)
    return archive(seal_part(history, files_of(history, shown, part, **options), shown, **(predicate or {})))


def add(cases):
    good(cases)
    bad_cover(cases)
    bad_rows(cases)
    bad_files(cases)
    kept(cases)
    former_key(cases)


def three():
    """Three backups, with a second job under way at the same time as the last."""
    history = pair()
    history.wait(60)
    one, two = history.begin("third", ["queued", "claimed"]), history.begin("fourth", ["queued"])
    for kind in ("running", "finalizing"):
        history.add(f"backup.{kind}", job=one)
    history.complete(one, "third")
    for kind in ("claimed", "running", "finalizing"):
        history.add(f"backup.{kind}", job=two)
    history.complete(two, "fourth")
    return history, one, two


def good(cases):
    def ok(name, data, why, **options):
        cases.good(f"disclosure-{name}", data, why, level=1, asked=options.pop("asked", 1), **options)

    history, one, two = three()
    ok("one-job", disclosed(history, shown_for(history, one)), "One job of four is shown, interleaved with another.")
    ok("two-jobs", disclosed(history, shown_for(history, first(history), two)), "The first and the last job are shown.")
    ok("level-0-asked", disclosed(history, shown_for(history, one)), "Level 0 of one job.", asked=0, file="disclosure-one-job")
    everything = [row["seq"] for row in history.rows]
    ok("all-rows", disclosed(history, everything), "All rows are shown; it remains a disclosure.")
    ok("genesis-only", disclosed(history, [1]), "Nothing but the beginning is shown.")
    ok("artifact", disclosed(history, shown_for(history, two), artifacts=[two]), "The job's dump is in the bundle.")
    split = document(history, shown_for(history, one))

    def split_nodes(part):
        node = next(node for node in part["hidden"] if node["rows"] == 2)
        at, place = node["firstSeq"], part["hidden"].index(node)
        halves = [{"firstSeq": seq, "rows": 1, "hash": root([canonical(history.rows[seq - 1])]).hex()} for seq in (at, at + 1)]
        part["hidden"][place : place + 1] = halves

    assert any(node["rows"] == 2 for node in split["hidden"])
    ok("nodes-split", disclosed(history, shown_for(history, one), split_nodes), "More nodes than needed stand for the hidden rows.")
    turn = rotated()
    for name, pin in [("first", ALPHA), ("second", BETA)]:
        ok(f"rotated-{name}-pinned", disclosed(turn, shown_for(turn, last(turn))), f"The chain rotated; the {name} key is pinned.",
           pins=[pin], file="disclosure-rotated")  # fmt: skip
    drills = drilled()
    drill = next(iter(drills.receipts))
    ok("drill", disclosed(drills, shown_for(drills, drill)), "A drill without the backup it restored: that it was an earlier one stays open.")
    ok("drill-and-backup", disclosed(drills, shown_for(drills, drill, first(drills))), "A drill and the backup it restored.")
    org = organisation()
    ok("organisation", disclosed(org, [1, len(org.rows)]), "Two rows of an organisation's chain.")
    anchored = History("anchored-elsewhere")
    job = anchored.begin("mine")
    anchored.begin("other", ["queued", "claimed"])
    anchored.complete(job, "mine")
    ok("anchor-by-next-row", disclosed(anchored, shown_for(anchored, job)),
       "The manifest's anchor is another job's row; the row after it tells its hash.")  # fmt: skip
    anchored = History("anchored-elsewhere")
    job = anchored.begin("mine")
    anchored.begin("other", ["queued", "claimed"])
    manifest = anchored.manifest
    anchored.manifest = lambda *args, **changes: manifest(*args, **changes) | {"auditAnchor": anchor_at(anchored, -2)}
    anchored.complete(job, "mine")
    del anchored.manifest
    ok("anchor-hidden", disclosed(anchored, shown_for(anchored, job)), "Neither the manifest's anchor nor the row after it is shown.")
    text = checkpoint_body(history)
    lines = [note.cosignature_line(name, witness, text, SECONDS) for name, witness in list(WITNESSES.items())[:2]]
    witnessed = disclosed(history, shown_for(history, one), checkpoint_bytes=checkpoint(history, more_lines=lines))
    ok("witnessed", witnessed, "Witnesses cosigned the checkpoint; level 1 remains.", witness_policy="policies/two-of-three.policy")
    data = disclosed(history, shown_for(history, one), aligned=11)
    early = cases.keep("kept/three-11.checkpoint", checkpoint(history, 11))
    ok("continuous", data, "No node reaches across the kept checkpoint's size.", kept=early, file="disclosure-aligned")


def anchor_at(history, place):
    row = history.rows[place]
    return {"chainId": history.chain_id, "seq": row["seq"], "hash": row["hash"]}


def bad_cover(cases):
    history, one, two = three()
    shown = shown_for(history, one)

    def bad(name, edit, why, codes="disclosure-cover", exit=1, **options):
        cases.bad(f"disclosure-{name}", disclosed(history, shown, edit, **options), exit, codes, why, attack="A33", asked=1)

    def node(part, rows=None):
        return next(node for node in part["hidden"] if rows is None or node["rows"] == rows)

    bad("node-missing", lambda p: p["hidden"].pop(2), "One node is left out.")
    bad("node-twice", lambda p: p["hidden"].insert(1, p["hidden"][0]), "One node stands there twice.")
    bad("nodes-swapped", lambda p: p["hidden"].insert(0, p["hidden"].pop(1)), "Two nodes are out of order.")
    bad("node-over-row", lambda p: p["hidden"].append({"firstSeq": 1, "rows": 1, "hash": "0" * 64}), "A node stands for a row that is shown.")
    bad("node-odd", lambda p: node(p, 2).update(rows=3), "A node of three rows is none.")
    bad("node-empty", lambda p: p["hidden"].insert(0, {"firstSeq": 2, "rows": 0, "hash": "0" * 64}), "A node without rows.")
    bad("node-misplaced", lambda p: node(p, 1).update(rows=2), "A node of two rows begins at an even number.")
    bad("node-too-large", lambda p: p["hidden"][-1].update(rows=1 << 40), "The last node reaches beyond the size.")
    bad("node-hash-changed", lambda p: node(p).update(hash=sha256(b"other")), "A node with another hash.", "checkpoint-root")
    bad("node-is-leaf-input", lambda p: node(p).update(hash=sha256(canonical(history.rows[1]))), "The row's own digest in the place of its leaf's.",
        "checkpoint-root")  # fmt: skip
    bad("size-larger", lambda p: p.update(size=p["size"] + 1), "The size is larger than rows and nodes.")
    bad("size-smaller", lambda p: p.update(size=p["size"] - 1), "The size is smaller than rows and nodes.")
    bad("empty", lambda p: p.update(size=0, rows=[], hidden=[]), "Nothing is shown and nothing hidden.", "chain-genesis")
    bad("genesis-hidden", hide(history, 1), "The first row is hidden.", "chain-genesis")
    bad("rows-out-of-order", lambda p: p["rows"].insert(1, p["rows"].pop(2)), "Two rows are out of order.")
    bad("row-twice", lambda p: p["rows"].insert(1, p["rows"][1]), "One row is shown twice.")
    bad("row-missing", lambda p: p["rows"].pop(2), "A row is left out, and no node stands for it.")
    bad("unknown-field", lambda p: p.update(jobs=1), "An unknown field.", "disclosure-form", 3)
    bad("node-unknown-field", lambda p: node(p).update(kind="backup.queued"), "A node with an unknown field.", "disclosure-form", 3)
    bad("hash-upper-case", lambda p: node(p).update(hash=node(p)["hash"].upper()), "A hash in capitals.", "disclosure-form", 3)
    bad("count-negative", lambda p: node(p).update(rows=-1), "A negative number of rows.", "disclosure-form", 3)
    bad("row-malformed", lambda p: p["rows"][1].update(kind="backup.begun"), "A row of unknown kind.", "disclosure-form", 3)
    part = files_of(history, shown, document(history, shown))
    part["disclosure.json"] += b"\n"
    cases.bad("disclosure-newline", archive(seal_part(history, part, shown)), 3, "disclosure-form", "A newline at the end.", asked=1)


def hide(history, seq):
    """Puts a node into the place of a row."""

    def edit(part):
        part["rows"] = [row for row in part["rows"] if row["seq"] != seq]
        new = {"firstSeq": seq, "rows": 1, "hash": root([canonical(history.rows[seq - 1])]).hex()}
        part["hidden"] = sorted([*part["hidden"], new], key=lambda node: node["firstSeq"])

    return edit


def unlink_last(part):
    """The last row shown names another hash of the row before."""
    row = part["rows"][-1] = dict(part["rows"][-1], prevHash="ab" * 32)
    row["hash"] = row_hash(row["prevHash"], row)


def bad_rows(cases):
    history, one, two = three()
    shown = shown_for(history, one)

    def bad(name, edit, codes, why, exit=1, attack="A33"):
        cases.bad(f"disclosure-{name}", disclosed(history, shown, edit), exit, codes, why, attack=attack, asked=1)

    queued = next(row["seq"] for row in history.rows if row["jobId"] == one)

    def rewrite(part):
        place = next(place for place, row in enumerate(part["rows"]) if row["kind"] == "backup.running")
        row = part["rows"][place] = dict(part["rows"][place], payload={"note": "changed"})
        row["hash"] = row_hash(row["prevHash"], row)

    bad("row-changed", rewrite, "checkpoint-root", "A row's payload and hash were changed.")
    bad("row-hash-kept", lambda p: p["rows"].__setitem__(1, dict(p["rows"][1], payload={"note": "changed"})), "chain-hash checkpoint-root",
        "A row's payload was changed, its hash kept.")  # fmt: skip
    for name, anchor, codes, why in [
        ("link-broken-behind-anchor", {}, "chain-link checkpoint-root",
         "The row after the manifest's anchor says another hash of it; the anchor is shown, and its own hash counts."),
        ("anchor-by-broken-link", {"hash": "ab" * 32}, "chain-link checkpoint-root manifest-anchor",
         "The manifest's anchor is what the row after says, and not the hash of the row that is shown."),
    ]:  # fmt: skip
        anchored = History("anchored")
        job = anchored.complete(anchored.begin("only"), "only", edit=lambda manifest, anchor=anchor: manifest["auditAnchor"].update(anchor))
        cases.bad(f"disclosure-{name}", disclosed(anchored, shown_for(anchored, job), unlink_last), 1, codes, why, attack="A33", asked=1)
    for name, broken in [("next-row", 1), ("later-row", 3)]:
        stale = pair()
        job = stale.begin("third")
        previous = stale.rows[0]["hash"]
        for place, row in enumerate(row for row in stale.rows if row["jobId"] == job):
            row["prevHash"] = "ab" * 32 if place == broken else previous
            previous = row["hash"] = row_hash(row["prevHash"], row)
        stale.complete(job, "third")
        cases.bad(f"disclosure-link-broken-in-{name}-after-stale", disclosed(stale, shown_for(stale, job)), 1, "chain-link",
                  "The row after those hidden names the last one shown before them; a link further on is broken.", attack="A33", asked=1)  # fmt: skip
    bad("job-without-beginning", hide(history, queued), "job-order", "The job's first row is hidden.")
    bad("row-of-other-job", lambda p: p["rows"].__setitem__(1, dict(p["rows"][1], jobId=two)), "checkpoint-root job-order",
        "A row was given to another job.")  # fmt: skip
    other = History("other-chain")
    for label in ("first", "second", "third", "fourth"):
        other.backup(label)

    def foreign(part):
        part["rows"] = [other.rows[row["seq"] - 1] if row["seq"] == 1 else row for row in part["rows"]]

    bad("genesis-of-other-chain", foreign, "checkpoint-origin checkpoint-root", "The first row is of another chain.", attack="A18")
    turn = rotated()
    job = last(turn)
    rows = [seq for seq in shown_for(turn, job) if turn.rows[seq - 1]["kind"] != "key.rotated"]
    cases.bad("disclosure-rotation-hidden", disclosed(turn, rows), 1, "checkpoint-signature", "The rotation is hidden: its key signs, unexplained.",
              attack="A23", asked=1)  # fmt: skip


def bad_files(cases):
    history, one, two = three()
    shown = shown_for(history, one)
    honest = document(history, shown)

    def bad(name, files, codes, why, exit=1, **options):
        data = archive(seal_part(history, files, shown, **options))
        cases.bad(f"disclosure-{name}", data, exit, codes, why, asked=1)

    files = files_of(history, shown, honest)
    bad("beside-all-rows", files | {"audit_events.json": canonical(history.rows)}, "disclosure-cover", "All rows stand beside those shown.")
    other = f"backups/{two}/manifest.json"
    bad("manifest-of-hidden-job", files | {other: canonical(history.backups[two].manifest)}, "manifest-announced",
        "The manifest of a job that is not shown.")  # fmt: skip
    without = {path: data for path, data in files.items() if not path.endswith("manifest.json")}
    bad("manifest-missing", without, "manifest-missing", "The manifest of the job shown is absent.", 4)
    bad("rows-shown-wrong", files, "statement-range", "The signed list says another number of rows.", rowsShown=len(shown) + 1)
    bad("size-in-list-wrong", files, "statement-range", "The signed list says another size.", lastSeq=len(history.rows) - 1)
    whole = archive(seal(history, files, backups=1))
    cases.bad("disclosure-listed-as-whole", whole, 1, "statement-range", "The signed list speaks of the whole chain.", asked=1)
    everything = content(history)
    part = archive(seal_part(history, everything, history.rows))
    cases.bad("whole-listed-as-disclosure", part, 1, "statement-range", "The signed list of a whole chain speaks of a part.", asked=1)
    bad("type-of-whole", files, "statement-form", "A part's predicate under the whole's type.", 3,
        predicate_type="https://walwarden.dev/evidence-bundle/v1")  # fmt: skip
    data = disclosed(history, shown)
    cases.bad("disclosure-level-2-asked", data, 4, "level", "A part never reaches level 2.", attack="A32", file="good/disclosure-one-job")
    cases.bad("disclosure-level-3-asked", data, 4, "level", "A part never reaches level 3.", attack="A32", asked=3, file="good/disclosure-one-job")
    cases.bad("disclosure-no-pin", data, 4, "key-no-pin", "Nobody pinned a key.", attack="A21", asked=1, pins=[], file="good/disclosure-one-job")
    signature = base64.b64encode(bytes(64)).decode()
    listing = canonical(statement(history, files, rowsShown=len(shown), backups=1) | {"predicateType": PREDICATE_TYPE})
    sealed = envelope(listing, history.key)
    sealed["signatures"][0]["sig"] = signature
    cases.bad("disclosure-unsigned", archive(files | {"bundle.json": canonical(sealed)}), 1, "statement-signature", "The signed list is not signed.",
              asked=1)  # fmt: skip
    history.backups[one].artifact = history.backups[one].artifact[:-1] + b"x"
    cases.bad("disclosure-artifact-changed", disclosed(history, shown, artifacts=[one]), 1, "artifact-digest", "The dump was changed.", attack="A20",
              asked=1)  # fmt: skip


def kept(cases):
    history, one, two = three()
    data = disclosed(history, shown_for(history, one))
    cases.bad("disclosure-kept-hidden", data, 4, "kept-checkpoint-hidden", "A node reaches across the kept checkpoint's size.", attack="A6",
              asked=1, kept=cases.keep("kept/three-6.checkpoint", checkpoint(history, 6)), file="good/disclosure-one-job")  # fmt: skip
    forked = History("pair")
    forked.backup("first", databaseName="other")
    forked.wait(3600).backup("second")
    other = cases.keep("kept/pair-11-forked.checkpoint", checkpoint(forked, 11))
    cases.bad("disclosure-of-other-history", disclosed(history, shown_for(history, one), aligned=11), 1, "kept-checkpoint-root",
              "The kept checkpoint is of another history.", attack="A6", asked=1, kept=other, file="good/disclosure-aligned")  # fmt: skip


def former_key(cases):
    """Whoever has a former key shows genuine rows without the rotation and the revocation, under a checkpoint that witnesses cosigned."""
    history = rotated()
    history.add("key.revoked", {"keyId": ALPHA.id, "reason": "stolen"})
    shown = [1, *(row["seq"] for row in history.rows if row["jobId"] == first(history))]
    text = checkpoint_body(history)
    lines = [note.cosignature_line(name, witness, text, SECONDS) for name, witness in list(WITNESSES.items())[:2]]
    files = files_of(history, shown, document(history, shown), checkpoint_bytes=checkpoint(history, key=ALPHA, more_lines=lines), hints=[ALPHA])
    data, file = archive(seal_part(history, files, shown, ALPHA)), "disclosure-by-former-key"
    asked = {"asked": 1, "attack": "A23", "witness_policy": "policies/two-of-three.policy"}
    for name, pins in [("", [ALPHA]), ("-both-pinned", [ALPHA, BETA])]:
        cases.good(file + name, data, "A former key, rotated away and revoked, signs a part without the rows that say so. Witnesses do not help.",
                   level=1, pins=pins, file=file, **asked)  # fmt: skip

    def bad(name, codes, why, exit=1, **options):
        cases.bad(f"{file}-{name}", data, exit, codes, why, file=f"good/{file}", **asked, **options)

    bad("newest-pinned", "key-pin", "The newest key is pinned, and none of this part's.", pins=[BETA])
    bad("current-key-demanded", "policy-key", "Both keys are pinned, and the policy names the newest.", pins=[ALPHA, BETA],
        policy="policies/audit-current-key.json")
    later = cases.keep("kept/rotated-13.checkpoint", checkpoint(history))
    bad("checkpoint-kept", "kept-checkpoint-signature", "A checkpoint of after the rotation was kept.", kept=later)
