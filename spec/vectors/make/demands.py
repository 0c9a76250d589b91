"""Audit policies (evidence.md section 4) for the second verifier: what an auditor demands beyond the format."""

import datetime
import json

from . import forms
from .reader import MIB, Malformed, strict_pairs
from .witness import Usage

HOUR = 3_600_000
NUMBERS = ["minEvents", "minBackups", "minArtifactsChecked", "minDrillsPassed", "minWitnesses", "maxCheckpointAgeHours",
           "maxBackupAgeHours", "maxDrillAgeHours", "maxBackupGapHours"]  # fmt: skip
DEMANDS = {"orgId": forms.label, "databaseId": forms.maybe(forms.label), "chainId": forms.uuid7, "currentKeyId": forms.key_id}
DEMANDS |= dict.fromkeys(NUMBERS, forms.number())
HEAD = {"type": forms.only("walwarden.audit-policy"), "formatVersion": forms.only(1)}
FORM = forms.shape(HEAD | DEMANDS, optional=DEMANDS)


def read_policy(data):
    def refuse(token):
        raise ValueError(token)

    def integer(token):
        return refuse(token) if token.startswith("-") else int(token)

    try:
        forms.need(len(data) <= MIB, "larger than 1 MiB")
        # A number that is no integer of 0 or more stands nowhere in a policy.
        policy = json.loads(data.decode(), parse_float=refuse, parse_int=integer, parse_constant=refuse, object_pairs_hook=strict_pairs)
        FORM(policy)
    except (ValueError, RecursionError, Malformed) as error:
        raise Usage(f"policy: {error}") from error
    return policy


def millis(text):
    """Milliseconds since year 0; the calendar repeats itself after 400 years."""
    cycles, year = divmod(int(text[:4]), 400)
    moment = datetime.datetime.strptime(f"{year + 400:04d}{text[4:]}", "%Y-%m-%dT%H:%M:%S.%fZ")
    since = moment - datetime.datetime(400, 1, 1)
    return (cycles * 146_097 * 86_400_000) + since // datetime.timedelta(milliseconds=1)


def this_moment():
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"


def time_believed(verifier, times, wanted=1):
    """Of witnesses in the order of these times, the first with which those up to it are believed, and are as many as wanted; in a list,
    empty if they are too few."""
    in_order = list(times) if verifier.covered else []
    for count in range(max(1, wanted), len(in_order) + 1):
        if not verifier.quorum or not verifier.quorum.wanted or verifier.quorum.is_met_by(set(in_order[:count])):
            return [millis("1970-01-01T00:00:00.000Z") + times[in_order[count - 1]] * 1000]
    return []


def first_times(verifier):
    return dict(sorted(((raw, min(times)) for raw, times in verifier.seen.items()), key=lambda one: one[1]))


def last_times(verifier):
    return dict(sorted(((raw, max(times)) for raw, times in verifier.seen.items()), key=lambda one: -one[1]))


def judge_times(verifier):
    """Nothing is dated more than an hour after those who are believed saw the checkpoint over it."""
    outside = time_believed(verifier, first_times(verifier))
    outside += [millis(verifier.stamped_at)] if verifier.stamped_at and verifier.covered else []
    dated = [row["at"] for row in verifier.rows]
    dated += [document["finishedAt"] for document in verifier.documents.values() if "finishedAt" in document]
    for at in outside:
        verifier.demand(all(millis(moment) <= at + HOUR for moment in dated), "checkpoint-time")


def judge(policy, verifier, now):
    """`now` is text; what the verifier found is read from it."""
    genesis, rows = verifier.genesis, verifier.rows
    for name in ("orgId", "databaseId", "chainId"):
        verifier.demand(name not in policy or policy[name] == genesis[name], "policy-subject", name)
    current = policy.get("currentKeyId")
    verifier.demand(current in (None, verifier.chain.key_at(verifier.tree.size)), "policy-key", current)
    backups = [millis(row["at"]) for row in rows if row["kind"] == "backup.completed"]
    drills = [millis(row["at"]) for row in rows if row["kind"] == "drill.passed"]
    counts = {"minEvents": len(rows), "minBackups": len(backups), "minArtifactsChecked": verifier.artifacts,
              "minDrillsPassed": len(drills)}  # fmt: skip
    for name, count in counts.items():
        verifier.demand(count >= policy.get(name, 0), "policy-minimum", f"{name}: {count}")
    verifier.demand(len(verifier.seen) >= policy.get("minWitnesses", 0), "policy-witnesses")
    latest = time_believed(verifier, last_times(verifier), policy.get("minWitnesses", 0))
    for name, times in [("maxCheckpointAgeHours", latest), ("maxBackupAgeHours", backups), ("maxDrillAgeHours", drills)]:
        if name in policy and verifier.demand(times, "policy-time", name):
            age = millis(now) - max(times)
            verifier.demand(-HOUR <= age <= policy[name] * HOUR, "policy-age", name)
    if "maxBackupGapHours" in policy and verifier.demand(not verifier.part, "policy-disclosure"):
        gaps = [later - earlier for earlier, later in zip(backups, backups[1:])]
        verifier.demand(all(gap <= policy["maxBackupGapHours"] * HOUR for gap in gaps), "policy-gap")
