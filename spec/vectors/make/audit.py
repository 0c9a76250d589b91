"""Audit policies: every demand met and missed, to the millisecond where it is about time, and files that are none."""

import datetime
import json

from . import note
from .bundle import bundle, checkpoint_body
from .cases import WITNESSES
from .disclosure import disclosed, shown_for
from .history import History, parse_time, time_text
from .keys import ALPHA, BETA
from .quorum import ALL_THREE, SECONDS, TWO_OF_THREE, VKEYS, cosigned, with_lines
from .stories import drilled, first, indexed, organisation, pair, rotated, small

COSIGNED_AT = datetime.datetime.fromtimestamp(SECONDS, datetime.UTC)
VKEY_LIST = list(VKEYS.values())
HOUR = 3600


def add(cases):
    subjects(cases)
    counts(cases)
    witnesses(cases)
    ages(cases)
    keys(cases)
    gaps(cases)
    parts(cases)
    together(cases)
    unusable(cases)
    of_nothing(cases)


def of_nothing(cases):
    """Where there is no chain, nothing is demanded of it, and that it is absent is all that is told."""
    bad(cases, "of-nothing", cases.files["bad/audit-events-missing.evidence.tgz"], 4, "bundle-file-missing",
        "No row is there that could be another organisation's.", {"orgId": "other", "minBackups": 1, "maxBackupAgeHours": 1},
        "bad/audit-events-missing")  # fmt: skip


def policy(cases, name, **demands):
    document = {"type": "walwarden.audit-policy", "formatVersion": 1} | demands
    return cases.keep(f"policies/audit-{name}.json", (json.dumps(document, indent=1) + "\n").encode())


def good(cases, name, data, why, demands, file, **options):
    cases.good(f"audit-{name}", data, why, policy=policy(cases, name, **demands), file=file, **options)


def bad(cases, name, data, exit, codes, why, demands, file, **options):
    cases.bad(f"audit-{name}", data, exit, codes, why, policy=policy(cases, name, **demands), file=file, **options)


def after(moment, hours=0, milliseconds=0):
    moment = parse_time(moment) if isinstance(moment, str) else moment
    return time_text(moment + datetime.timedelta(hours=hours, milliseconds=milliseconds))


def completed(history):
    return [row["at"] for row in history.rows if row["kind"] == "backup.completed"]


def subjects(cases):
    history, own = pair(), organisation()
    data, of_all = bundle(history), bundle(own)
    good(cases, "subject", data, "Organisation, database and chain are those demanded.",
         {"orgId": "acme", "databaseId": "orders", "chainId": history.chain_id}, "two-backups")  # fmt: skip
    good(cases, "subject-organisation", of_all, "databaseId null demands the organisation's own chain.",
         {"databaseId": None}, "organisation-chain")  # fmt: skip
    for name, demands, why in [
        ("other-organisation", {"orgId": "acme-2"}, "Evidence of another organisation."),
        ("other-database", {"databaseId": "order"}, "Evidence of another database."),
        ("other-chain", {"chainId": own.chain_id}, "Evidence of another chain of the same database."),
        ("organisation-demanded", {"databaseId": None}, "A database's chain where the organisation's own is demanded."),
    ]:
        bad(cases, name, data, 1, "policy-subject", why, demands, "good/two-backups")
    bad(cases, "database-demanded", of_all, 1, "policy-subject", "The organisation's chain where a database's is demanded.",
        {"databaseId": "orders"}, "good/organisation-chain")  # fmt: skip


def counts(cases):
    both, drill = bundle(pair()), bundle(drilled())
    whole = indexed()
    artifact = bundle(whole, artifacts=[first(whole)])
    failed = small()
    job = failed.begin("failed", ["queued", "claimed", "running"])
    failed.add("backup.failed", {"class": "dump-failed", "retryable": False, "attempt": 1}, job=job)
    pruned = pair()
    job = first(pruned)
    pruned.add("backup.pruned", {"manifestSha256": pruned.manifest_hash(job), "policy": "keep-last-1"}, job=job)
    undrilled = drilled()
    undrilled.drill("two", of=first(undrilled), end="failed", outcome="failed")
    for name, data, file, reached, why in [
        ("events", both, "two-backups", {"minEvents": 11}, "events"),
        ("backups", both, "two-backups", {"minBackups": 2}, "completed backups"),
        ("artifacts", artifact, "artifact-included", {"minArtifactsChecked": 1}, "matching dumps"),
        ("drills", drill, "drill-passed", {"minDrillsPassed": 1}, "passed drills"),
    ]:
        good(cases, f"{name}-enough", data, f"As many {why} as demanded.", reached, file)
        (demand, count), = reached.items()  # fmt: skip
        bad(cases, f"{name}-too-few", data, 1, "policy-minimum", f"One of the {why} demanded is missing.",
            {demand: count + 1}, f"good/{file}")  # fmt: skip
    good(cases, "zeros", bundle(organisation()), "No demand is made of a count by 0.",
         dict.fromkeys(["minEvents", "minBackups", "minArtifactsChecked", "minDrillsPassed", "minWitnesses"], 0),
         "organisation-chain")  # fmt: skip
    good(cases, "pruned-counts", bundle(pruned), "A backup that was pruned was completed.", {"minBackups": 2}, "backup-pruned")
    bad(cases, "failed-backup", bundle(failed), 1, "policy-minimum", "A backup that failed is not completed.", {"minBackups": 2},
        "audit-failed-backup")  # fmt: skip
    bad(cases, "failed-drill", bundle(undrilled), 1, "policy-minimum", "A drill that failed did not pass.",
        {"minDrillsPassed": 2}, "audit-failed-drill")  # fmt: skip
    bad(cases, "artifact-left-out", both, 1, "policy-minimum", "No dump is in the bundle.", {"minArtifactsChecked": 1},
        "good/two-backups")  # fmt: skip
    bad(cases, "asked-at-level-0", both, 1, "policy-minimum", "A policy's demands hold whatever level is asked.",
        {"minBackups": 3}, "good/two-backups", asked=0)  # fmt: skip


def witnesses(cases):
    two = cosigned(pair(), 0, 1)
    good(cases, "witnesses-enough", two, "Two of the witnesses named cosigned.", {"minWitnesses": 2}, "cosigned-by-two",
         witnesses=VKEY_LIST, level=3)  # fmt: skip
    path = cases.keep("policies/one-of-three.policy", (ALL_THREE + "group one any harbour notary press\nquorum one\n").encode())
    good(cases, "witnesses-of-quorum", two, "The witnesses of a witness policy count.", {"minWitnesses": 2},
         "cosigned-by-two", witness_policy=path, level=3)  # fmt: skip
    history, (name, witness) = pair(), next(iter(WITNESSES.items()))
    text = checkpoint_body(history)
    twice = with_lines(history, *(note.cosignature_line(name, witness, text, at) for at in (SECONDS, SECONDS + 60)))
    for name, data, vkeys, file, why in [
        ("witnesses-too-few", two, VKEY_LIST, "good/cosigned-by-two", "Two of three witnesses cosigned."),
        ("witnesses-unnamed", two, VKEY_LIST[:1], "good/cosigned-by-two", "Only witnesses that are named count."),
        ("witness-counted-once", twice, VKEY_LIST, "bad/quorum-by-one-witness-twice", "A witness counts once."),
        ("witnesses-none-named", two, [], "good/cosigned-by-two", "No witness is named."),
    ]:
        bad(cases, name, data, 4, "policy-witnesses", why, {"minWitnesses": 2 if name != "witnesses-too-few" else 3}, file,
            witnesses=vkeys)  # fmt: skip


def ages(cases):
    history, drills = pair(), drilled()
    data, drill, cosigner = bundle(history), bundle(drills), cosigned(history, 0, 1)
    backed_up, passed = completed(history)[-1], drills.rows[-1]["at"]
    demands = {"backup": "maxBackupAgeHours", "drill": "maxDrillAgeHours", "checkpoint": "maxCheckpointAgeHours"}
    subjects = {"backup": (data, "two-backups", backed_up, {}), "drill": (drill, "drill-passed", passed, {}),
                "checkpoint": (cosigner, "cosigned-by-two", COSIGNED_AT, {"witnesses": VKEY_LIST})}  # fmt: skip
    for what, (bytes_, file, at, options) in subjects.items():
        level = 3 if what == "checkpoint" else 2
        for name, hours, milliseconds, why in [
            ("oldest", 26, 0, "is exactly as old as allowed"),
            ("hour-ahead", -1, 0, "is an hour ahead: clocks may be apart by as much"),
        ]:
            good(cases, f"{what}-{name}", bytes_, f"The last {what} {why}.", {demands[what]: 26}, file,
                 as_of=after(at, hours, milliseconds), level=level, **options)  # fmt: skip
        for name, hours, milliseconds, why in [
            ("too-old", 26, 1, "is a millisecond older than allowed"),
            ("ahead", -1, -1, "is more than an hour ahead: its age says nothing"),
        ]:
            bad(cases, f"{what}-{name}", bytes_, 1, "policy-age", f"The last {what} {why}.", {demands[what]: 26},
                f"good/{file}", as_of=after(at, hours, milliseconds), **options)  # fmt: skip
    good(cases, "age-of-zero-hours", data, "Nothing is older than zero hours at its own moment.", {"maxBackupAgeHours": 0},
         "two-backups", as_of=backed_up)  # fmt: skip
    good(cases, "age-unlimited", data, "The largest number there is allows any age.", {"maxBackupAgeHours": 2**53 - 1},
         "two-backups", as_of="9999-12-31T23:59:59.999Z")  # fmt: skip
    freshness(cases)
    undrilled = drilled()
    undrilled.wait(26 * HOUR).drill("two", of=first(undrilled), end="failed", outcome="failed")
    bad(cases, "drill-failed-since", bundle(undrilled), 1, "policy-age", "The last drill that passed is too old; a later one failed.",
        {"maxDrillAgeHours": 26}, "audit-drill-failed-since", as_of=undrilled.rows[-1]["at"])  # fmt: skip
    for name, bytes_, file, demand, why in [
        ("no-backup", bundle(organisation()), "organisation-chain", "maxBackupAgeHours", "There is no completed backup."),
        ("no-drill", data, "two-backups", "maxDrillAgeHours", "There is no passed drill."),
        ("no-witness", cosigner, "cosigned-by-two", "maxCheckpointAgeHours", "No witness is named: nobody says when."),
    ]:
        bad(cases, name, bytes_, 4, "policy-time", why, {demand: 26}, f"good/{file}", as_of=after(backed_up))


def freshness(cases):
    """How old the checkpoint is, when it was cosigned at different times."""
    history, names = pair(), list(WITNESSES.items())
    text, file = checkpoint_body(history), "cosigned-apart"
    apart = with_lines(history, note.cosignature_line(*names[0], text, SECONDS), note.cosignature_line(*names[1], text, SECONDS + 99 * HOUR))
    limit, both = {"maxCheckpointAgeHours": 26}, {"maxCheckpointAgeHours": 26, "minWitnesses": 2}
    two_of_three = cases.keep("policies/two-of-three.policy", TWO_OF_THREE.encode())
    at_first, at_last = after(COSIGNED_AT, 26), after(COSIGNED_AT, 99 + 26)
    named, quorum = {"witnesses": VKEY_LIST}, {"witness_policy": two_of_three}
    good(cases, "checkpoint-by-last-witness", apart, "One witness is enough, and the last one counts.", limit, file,
         as_of=at_last, level=3, **named)  # fmt: skip
    good(cases, "checkpoint-by-two-witnesses", apart, "Two are demanded, and both had signed by then.", both, file,
         as_of=at_first, level=3, **named)  # fmt: skip
    good(cases, "checkpoint-by-quorum", apart, "Two make the quorum, and both had signed by then.", limit, file,
         as_of=at_first, level=3, **quorum)  # fmt: skip
    for name, demands, options, why in [
        ("other-witness", limit, {"witnesses": VKEY_LIST[:1]}, "The last witness is not named; the one named is too long ago."),
        ("one-of-two-witnesses", both, named, "One of the two witnesses demanded signed anew."),
        ("one-of-quorum", limit, quorum, "One witness of the quorum signed anew: it may be the one who helps to roll back."),
    ]:
        bad(cases, f"checkpoint-by-{name}", apart, 1, "policy-age", why, demands, f"good/{file}", as_of=at_last, attack="A7",
            **options)  # fmt: skip
    cosigner = cosigned(history, 0)
    bad(cases, "checkpoint-without-quorum", cosigner, 4, "policy-time witness-quorum", "No quorum saw the checkpoint, whenever that be.",
        limit, "bad/cosigned-by-one", as_of=at_first, **quorum)  # fmt: skip
    bad(cases, "checkpoint-by-too-few", cosigner, 4, "policy-time policy-witnesses", "Fewer witnesses saw it than are demanded.",
        both, "bad/cosigned-by-one", as_of=at_first, **named)  # fmt: skip


def keys(cases):
    history = rotated()
    data, file = bundle(history), "rotated"
    good(cases, "current-key", data, "The chain's key is the one demanded.", {"currentKeyId": BETA.id}, file)
    bad(cases, "former-key", data, 1, "policy-key", "The chain was rotated away from the key demanded.", {"currentKeyId": ALPHA.id},
        f"good/{file}")  # fmt: skip
    good(cases, "current-key-of-part", disclosed(history, shown_for(history, first(history))), "Rotations are shown in every part.",
         {"currentKeyId": BETA.id}, "audit-part-rotated", level=1, asked=1)  # fmt: skip


def gaps(cases):
    def apart(seconds):
        history = History("gap")
        history.backup("first")
        history.wait(seconds - 5).backup("second")  # whose rows take five seconds
        return bundle(history)

    demands = {"maxBackupGapHours": 1}
    good(cases, "gap-largest", apart(HOUR), "Exactly as much time as allowed between two backups.", demands, "backups-hour-apart")
    good(cases, "gap-of-one-backup", bundle(small()), "A single backup leaves no gap.", demands, "one-backup")
    good(cases, "gap-of-no-backup", bundle(organisation()), "Nor does none.", demands, "organisation-chain")
    bad(cases, "gap-too-long", apart(HOUR + 0.001), 1, "policy-gap", "A millisecond too much between two backups.", demands,
        "audit-gap-too-long", attack="A26")  # fmt: skip
    history = pair()
    job = history.wait(2 * HOUR).begin("failed", ["queued", "claimed", "running"])
    history.add("backup.failed", {"class": "dump-failed", "retryable": False, "attempt": 1}, job=job)
    history.wait(2 * HOUR).backup("third")
    bad(cases, "gap-around-failure", bundle(history), 1, "policy-gap", "A backup that failed ends no gap.",
        {"maxBackupGapHours": 3}, "audit-gap-around-failure", attack="A26")  # fmt: skip
    history = pair()
    history.rows[-1]["at"] = time_text(parse_time(history.rows[0]["at"]) - datetime.timedelta(hours=2))
    bad(cases, "gap-backwards", bundle(history.relink()), 1, "chain-time", "Time ran backwards from one backup to the next: no gap besides.",
        demands, "audit-gap-backwards", attack="A24")  # fmt: skip
    history = small()
    history.wait(HOUR).backup("second")
    again = History.completed_payload(history.backups[first(history)])
    history.wait(HOUR).add("backup.completed", again, job=first(history))
    history.wait(HOUR).backup("third")
    history.wait(HOUR).add("backup.completed", again, job=first(history))
    bad(cases, "gap-of-job-completed-again", bundle(history), 1, "job-order", "A job that completes more than once does so at each of these times.",
        {"maxBackupGapHours": 2}, "audit-gap-of-job-completed-again", attack="A25")  # fmt: skip


def parts(cases):
    history = pair()
    shown = shown_for(history, first(history))
    data, file = disclosed(history, shown), "audit-part"
    at = completed(history)[0]
    good(cases, "part", data, "Of a part, the rows shown are counted.", {"minEvents": len(shown), "minBackups": 1}, file,
         level=1, asked=1)  # fmt: skip
    bad(cases, "part-too-few-events", data, 1, "policy-minimum", "Rows that are not shown do not count.",
        {"minEvents": len(shown) + 1}, f"good/{file}", asked=1)  # fmt: skip
    bad(cases, "part-too-few-backups", data, 1, "policy-minimum", "Backups that are not shown do not count.",
        {"minBackups": 2}, f"good/{file}", asked=1)  # fmt: skip
    bad(cases, "part-gap", data, 4, "policy-disclosure", "What lies between the backups shown is not known.",
        {"maxBackupGapHours": 99}, f"good/{file}", asked=1, attack="A26")  # fmt: skip
    good(cases, "part-age", data, "The last backup shown is young enough.", {"maxBackupAgeHours": 1}, file, level=1, asked=1,
         as_of=after(at, 1))  # fmt: skip


def together(cases):
    history = pair()
    data, file = cosigned(history, 0, 1), "cosigned-by-two"
    everything = {"orgId": "acme", "databaseId": "orders", "chainId": history.chain_id, "minEvents": 11, "minBackups": 2,
                  "minArtifactsChecked": 0, "minDrillsPassed": 0, "minWitnesses": 2, "maxCheckpointAgeHours": 2,
                  "maxBackupAgeHours": 2, "maxBackupGapHours": 2}  # fmt: skip
    options = {"as_of": after(COSIGNED_AT, 1), "witnesses": VKEY_LIST}
    good(cases, "everything", data, "Many demands, all of them met.", everything, file, level=3, asked=3, **options)
    good(cases, "nothing", bundle(history), "A policy that demands nothing.", {}, "two-backups")
    bad(cases, "many-misses", data, 1, "policy-subject policy-minimum policy-witnesses policy-time policy-age policy-gap",
        "Every demand that is missed is told, and a contradiction wins over what cannot be decided.",
        {"orgId": "other", "minEvents": 12, "minWitnesses": 3, "maxDrillAgeHours": 1, "maxBackupAgeHours": 0,
         "maxBackupGapHours": 1}, f"good/{file}", **options)  # fmt: skip
    laid_out = b'\r\n\t{ "formatVersion" :1,\n"min\\u0042ackups": 2 , "type":"walwarden.audit\\u002dpolicy"}\n\n'
    cases.good("audit-laid-out", bundle(history), "Any layout, order and spelling of texts.", file="two-backups",
               policy=cases.keep("policies/audit-laid-out.json", laid_out))  # fmt: skip


def unusable(cases):
    start = b'{"type":"walwarden.audit-policy","formatVersion":1'

    def with_field(text):
        return start + b"," + text.encode() + b"}"

    own = pair().chain_id
    limit = policy(cases, "age", maxBackupAgeHours=26)
    for name, text in [("date", "2026-11-21"), ("without-milliseconds", "2026-11-21T04:00:00Z"), ("lower-case", "2026-11-21t04:00:00.000z"),
                       ("of-no-day", "2026-02-30T04:00:00.000Z"), ("word", "now")]:  # fmt: skip
        cases.bad(f"audit-as-of-{name}", bundle(small()), 2, "", "A time is written as in a row.", attack="U1", policy=limit,
                  as_of=text, file="good/one-backup")  # fmt: skip
    for name, data, why in [
        ("unknown-field", with_field('"minBackup":1'), "A field of unknown name, which would go unheeded."),
        ("field-of-other-case", with_field('"minbackups":1'), "Names are spelled in one way."),
        ("number-as-text", with_field('"minBackups":"1"'), "A number is no text."),
        ("number-true", with_field('"minBackups":true'), "Nor true."),
        ("number-null", with_field('"minBackups":null'), "Nor null: leave the field out instead."),
        ("number-negative", with_field('"minBackups":-1'), "Numbers are 0 or more."),
        ("number-minus-zero", with_field('"minBackups":-0'), "Zero has no sign."),
        ("number-fraction", with_field('"maxBackupAgeHours":1.5'), "Numbers are integers."),
        ("number-point-zero", with_field('"minBackups":1.0'), "Written as integers."),
        ("number-exponent", with_field('"minBackups":1e1'), "Without an exponent."),
        ("number-leading-zero", with_field('"minBackups":01'), "No JSON."),
        ("number-too-large", with_field('"minBackups":9007199254740992'), "2^53 is beyond what all readers hold."),
        ("number-nan", with_field('"minBackups":NaN'), "No JSON."),
        ("field-twice", with_field('"minBackups":2,"minBackups":1'), "A field stands there once."),
        ("field-twice-escaped", with_field('"minBackups":2,"min\\u0042ackups":1'), "Also when it is spelled in two ways."),
        ("key-upper-case", with_field(f'"currentKeyId":"{ALPHA.id.upper()}"'), "A key id has one spelling."),
        ("key-null", with_field('"currentKeyId":null'), "A chain always has a key."),
        ("organisation-null", with_field('"orgId":null'), "Every chain has an organisation."),
        ("organisation-upper-case", with_field('"orgId":"Acme"'), "No organisation has such an id."),
        ("database-empty", with_field('"databaseId":""'), "No database has such an id."),
        ("database-list", with_field('"databaseId":["orders"]'), "One database, not a list."),
        ("chain-upper-case", with_field(f'"chainId":"{own.upper()}"'), "An id has one spelling."),
        ("chain-other-version", with_field(f'"chainId":"{own[:14]}4{own[15:]}"'), "A chain's id is a UUID of version 7."),
        ("lone-surrogate", with_field('"orgId":"\\ud800"'), "Half a character."),
        ("type-missing", b'{"formatVersion":1,"minBackups":1}', "It does not say what it is."),
        ("type-other", b'{"type":"walwarden.drill-receipt","formatVersion":1}', "It says that it is something else."),
        ("version-missing", b'{"type":"walwarden.audit-policy"}', "It does not say of which version it is."),
        ("version-2", start[:-1] + b"2}", "A later version may demand what this reader does not know."),
        ("version-as-text", start[:-1] + b'"1"}', "The version is a number."),
        ("list", b"[" + start + b"}]", "No object."),
        ("empty", b"", "An empty file."),
        ("two-values", start + b"}{}", "Something follows."),
        ("trailing-comma", start + b",}", "No JSON."),
        ("comment", start + b"} // see the contract", "No JSON."),
        ("byte-order-mark", b"\xef\xbb\xbf" + start + b"}", "Something stands before."),
        ("not-utf8", with_field('"orgId":"acm').replace(b"acm", b"acm\xe9\""), "Not UTF-8."),
    ]:
        cases.bad(f"audit-policy-{name}", bundle(small()), 2, "", why, attack="U1",
                  policy=cases.keep(f"policies/bad-audit-{name}.json", data), file="good/one-backup")  # fmt: skip
