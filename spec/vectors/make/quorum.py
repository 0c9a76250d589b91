"""Witness policies: quorums that are reached, quorums that are not, and files that are none."""

import datetime

from . import note
from .bundle import bundle, checkpoint, checkpoint_body, origin
from .cases import WITNESSES
from .history import parse_time, time_text
from .keys import ALPHA, BETA, MALLORY
from .stories import drilled, first, pair, rotated, small

VKEYS = {name: note.vkey(name, witness.raw, 4) for name, witness in WITNESSES.items()}
NAMES = ["harbour", "notary", "press"]
ALL_THREE = "".join(f"witness {name} {vkey}\n" for name, vkey in zip(NAMES, VKEYS.values(), strict=True))
SECONDS = 1795230000
TWO_OF_THREE = ALL_THREE + "group most 2 harbour notary press\nquorum most\n"


def add(cases):
    reached(cases)
    missed(cases)
    logs(cases)
    times(cases)
    unusable(cases)


def keep(cases, name, text):
    return cases.keep(f"policies/{name}.policy", text.encode())


def cosigned(history, *by):
    """A bundle whose checkpoint these witnesses cosigned, by their place in WITNESSES."""
    text, known = checkpoint_body(history), list(WITNESSES.items())
    return with_lines(history, *(note.cosignature_line(*known[at], text, SECONDS) for at in by))


def with_lines(history, *lines):
    return bundle(history, checkpoint_bytes=checkpoint(history, more_lines=lines))


def reached(cases):
    two = cosigned(pair(), 0, 1)
    nested = "group offices 2 harbour notary\ngroup papers any press\ngroup either any offices papers\nquorum either\n"
    tabs = ALL_THREE.replace(" ", "\t ")
    for name, text, why in [
        ("two-of-three", TWO_OF_THREE, "Two of three witnesses cosigned."),
        ("nested", ALL_THREE + nested, "One group of a group reached its threshold."),
        ("single", ALL_THREE + "quorum notary\n", "The quorum is one witness."),
        ("laid-out", f"# comment\n\n \t{tabs}\n  quorum   harbour\t", "Blanks, tabs, comments and no last newline."),
        ("with-urls", ALL_THREE.replace("\n", " https://witness.example/\n") + "quorum harbour\n", "URLs are for others."),
    ]:
        policy = keep(cases, name, text)
        cases.good(f"quorum-{name}", two, why, level=3, asked=3, witness_policy=policy, file="cosigned-by-two")
    none = keep(cases, "none", "quorum none\n")
    cases.good("quorum-none", two, "A policy that asks for no witness demands nothing.", witness_policy=none,
               file="cosigned-by-two")  # fmt: skip


def missed(cases):
    def bad(name, policy, data, why, file=None, asked=3, codes="witness-quorum"):
        path = f"policies/{policy}.policy"
        cases.bad(name, data, 4, codes, why, attack="A6", asked=asked, witness_policy=path, file=file)

    one, two = cosigned(pair(), 0), cosigned(pair(), 0, 1)
    keep(cases, "all", ALL_THREE + "group everyone all harbour notary press\nquorum everyone\n")
    bad("quorum-not-reached", "two-of-three", one, "One of three witnesses cosigned, two are demanded.", "bad/cosigned-by-one")
    bad("quorum-not-reached-at-level-2", "two-of-three", one, "The quorum is demanded at every level.", "bad/cosigned-by-one",
        asked=2)  # fmt: skip
    bad("quorum-of-others", "single", one, "Another witness than the one demanded cosigned.", "bad/cosigned-by-one")
    bad("quorum-none-is-no-witness", "none", two, "quorum none shows no witness: level 3 is not reached.",
        "good/cosigned-by-two", codes="level")  # fmt: skip
    bad("quorum-all-but-one", "all", two, "Two of three witnesses cosigned, all are demanded.", "good/cosigned-by-two")
    bad("quorum-without-cosignature", "single", bundle(pair()), "Nobody cosigned.", "good/two-backups")
    history, (name, witness) = pair(), next(iter(WITNESSES.items()))
    text = checkpoint_body(history)
    first, later = (note.cosignature_line(name, witness, text, seconds) for seconds in (SECONDS, SECONDS + 60))
    bad("quorum-by-one-witness-twice", "two-of-three", with_lines(history, first, later), "One witness cosigned twice.")
    stranger = note.cosignature_line("witness.example/two", MALLORY, text, SECONDS)
    bad("quorum-filled-by-stranger", "two-of-three", with_lines(history, first, stranger),
        "A stranger cosigned under a witness's name, with a key of his own.")  # fmt: skip
    other = note.cosignature_line("witness.example/two", witness, text, SECONDS)
    bad("quorum-by-one-key-twice", "two-of-three", with_lines(history, first, other),
        "One witness cosigned under the name of another.")  # fmt: skip


def logs(cases):
    history = pair()
    data = cosigned(history, 0, 1)

    def policy(name, origin_name, key):
        line = f"log {note.vkey(origin_name, key.raw)} https://log.example/\n"
        return keep(cases, name, line + ALL_THREE + "group one any harbour notary press\nquorum one\n")

    def bad(name, codes, why, witness_policy, **options):
        cases.bad(name, data, 1, codes, why, attack="A21", witness_policy=witness_policy, file="good/cosigned-by-two", **options)

    cases.good("policy-log-is-a-pin", data, "The policy's log line pins the chain's key.", level=3, asked=3, pins=[],
               witness_policy=policy("log", origin(history), ALPHA), file="cosigned-by-two")  # fmt: skip
    bad("policy-log-of-other-origin", "witness-log", "The policy knows the key under another origin.",
        policy("other-origin", "walwarden/acme/another", ALPHA))  # fmt: skip
    bad("policy-log-of-other-key", "witness-log", "The policy knows the origin with another key.",
        policy("other-key", origin(history), MALLORY))  # fmt: skip
    bad("policy-log-of-stranger-unpinned", "key-pin witness-log", "The policy's only log is another one.",
        policy("stranger", "walwarden/acme/another", MALLORY), pins=[])  # fmt: skip
    history = rotated()
    for name, key in [("first", ALPHA), ("last", BETA)]:
        path = policy(f"rotated-{name}", origin(history), key)
        cases.good(f"policy-log-{name}-key", cosigned(history, 2), f"The chain rotated; the policy knows its {name} key.",
                   level=3, asked=3, pins=[], witness_policy=path, file="rotated-cosigned")  # fmt: skip


def times(cases):
    """What is dated after the time at which others saw the checkpoint over it."""
    vkeys, quorum = list(VKEYS.values()), {"witness_policy": keep(cases, "two-of-three", TWO_OF_THREE)}

    def cosigned_at(history, *seconds):
        text, known = checkpoint_body(history), list(WITNESSES.items())
        return with_lines(history, *(note.cosignature_line(*known[at], text, one) for at, one in enumerate(seconds)))

    def twice(history, *seconds):
        text, known = checkpoint_body(history), list(WITNESSES.items())
        return with_lines(history, *(note.cosignature_line(*known[0], text, one) for one in seconds))

    def moment(history):
        return int(parse_time(history.rows[-1]["at"]).timestamp())

    def ahead(history, **time):
        return time_text(history.now + datetime.timedelta(hours=1, **time))

    def good(name, data, why, **options):
        cases.good(name, data, why, level=3, asked=3, **options)

    def bad(name, data, why, witnesses=vkeys, codes="checkpoint-time", **options):
        cases.bad(name, data, 1, codes, why, attack="A24", witnesses=witnesses, **options)

    history = pair()
    last = moment(history)
    behind = cosigned_at(history, last, last, last - 86400)
    good("cosigned-hour-before-last-row", cosigned_at(history, last - 3600), "Clocks may be apart by an hour.", witnesses=vkeys)
    bad("cosigned-before-last-row", cosigned_at(history, last - 3601), "The last row is dated more than an hour after the cosignature.")
    for name, times in [("later", (last - 3601, last)), ("earlier", (last, last - 3601))]:
        bad(f"cosigned-again-{name}", twice(history, *times), "A witness signed again: its first time is the one by which the rows existed.")
    good("quorum-outvotes-slow-clock", behind, "One witness's clock is a day slow; the quorum's word counts.",
         file="cosigned-by-slow-clock", **quorum)  # fmt: skip
    bad("slow-clock-of-one-witness", behind, "One witness is enough, and one says that the rows were not written yet.",
        file="good/cosigned-by-slow-clock")  # fmt: skip
    demand = b'{"type":"walwarden.audit-policy","formatVersion":1,"minWitnesses":2}\n'
    demand = {"policy": cases.keep("policies/audit-two-witnesses.json", demand)}
    days = cosigned_at(history, last - 3 * 86400)
    bad("cosigned-days-before-last-row", days, "The one witness saw the checkpoint three days before the last row's time.", asked=3)
    bad("witnesses-demanded-before-last-row", days, "That two witnesses are demanded does not mend what the one says.", asked=3,
        file="bad/cosigned-days-before-last-row", codes="checkpoint-time policy-witnesses", **demand)  # fmt: skip
    cases.bad("quorum-missed-before-last-row", days, 4, "witness-quorum", "One of a quorum of two is not believed: nothing is contradicted.",
              level=2, attack="A24", file="bad/cosigned-days-before-last-row", **quorum)  # fmt: skip
    longer = pair()
    longer.wait(86400).backup("late")
    seen = note.cosignature_line(*next(iter(WITNESSES.items())), checkpoint_body(history), last)
    uncovered = bundle(longer, checkpoint_bytes=checkpoint(history, more_lines=[seen]))
    file = "bad/cosigned-beginning"
    bad("cosigned-beginning", uncovered, "A witness saw another checkpoint than one over these rows: of their times that says nothing.",
        codes="checkpoint-size", asked=3)  # fmt: skip
    young = cases.keep("policies/audit-seen-within-day.json", b'{"type":"walwarden.audit-policy","formatVersion":1,"maxCheckpointAgeHours":24}\n')
    bad("cosigned-beginning-age-demanded", uncovered, "Nor of how old the checkpoint over them is.", asked=3, file=file,
        codes="checkpoint-size policy-time", policy=young, as_of=history.rows[-1]["at"])  # fmt: skip
    bad("quorum-before-last-row", cosigned_at(history, last - 3601, last - 7200, last), "So it is after those of the quorum.",
        witnesses=(), **quorum)  # fmt: skip
    for name, late, judged, why in [
        ("hour-ahead", {}, good, "dated an hour after the cosignature"),
        ("ahead", {"milliseconds": 1}, bad, "dated more than an hour after the cosignature over its digest"),
    ]:
        manifests, receipts = small(), drilled()
        job = manifests.begin("late")
        manifests.complete(job, "late", finishedAt=ahead(manifests, seconds=1, **late))
        receipts.drill("late", of=first(receipts), finishedAt=ahead(receipts, seconds=5, **late))
        for kind, one in [("manifest", manifests), ("receipt", receipts)]:
            judged(f"{kind}-{name}", cosigned_at(one, moment(one)), f"A {kind} is {why}.", witnesses=vkeys)


def unusable(cases):
    good, one = ALL_THREE + "quorum harbour\n", VKEYS["witness.example/one"]

    def group(lines):
        return ALL_THREE + lines + "quorum g\n"

    for name, text, why in [
        ("no-quorum", ALL_THREE, "There is no quorum line."),
        ("two-quorums", good + "quorum notary\n", "There are two quorum lines."),
        ("quorum-unknown", ALL_THREE + "quorum nobody\n", "The quorum is not defined."),
        ("quorum-before-definition", "quorum harbour\n" + ALL_THREE, "The quorum is defined below its use."),
        ("witness-twice", good + f"witness again {one}\n", "One key is two witnesses."),
        ("name-twice", group("group notary any harbour\ngroup g any press\n"), "A group has the name of a witness."),
        ("name-none", ALL_THREE + "group none any notary\nquorum none\n", "The name none is taken."),
        ("member-twice", group("group g 2 notary notary\n"), "One member counts twice."),
        ("member-of-two-groups", group("group f any notary\ngroup g all f notary\n"), "One witness counts in two ways."),
        ("group-cycle", group("group g any h\ngroup h any g\n"), "A group is used before it is defined."),
        ("group-empty", group("group g all\n"), "A group without a member is reached by nobody's word."),
        ("threshold-zero", group("group g 0 notary\n"), "A threshold of 0 asks for nobody."),
        ("threshold-too-high", group("group g 2 notary\n"), "No set of members can reach the threshold."),
        ("threshold-padded", group("group g 01 notary\n"), "A number has one spelling."),
        ("log-key-as-witness", f"witness w {note.vkey('w', ALPHA.raw)}\nquorum w\n", "A log's key is no witness's."),
        ("vkey-of-other-name", f"witness w {one.replace('one', 'two')}\nquorum w\n", "The key id is of another name."),
        ("carriage-return", good.replace("\n", "\r\n"), "Lines end in a newline alone."),
        ("unknown-line", good + "threshold 2\n", "A line of unknown kind."),
        ("empty", "", "Nothing is asked for: not even quorum none."),
    ]:
        cases.bad(f"policy-{name}", bundle(pair()), 2, "", why, attack="U1", asked=3,
                  witness_policy=keep(cases, f"bad-{name}", text), file="good/two-backups")  # fmt: skip
