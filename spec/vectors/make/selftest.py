"""Runs the second verifier over the cases."""

import re

from .verify import Usage, Verifier


def judge(case, files):
    """Exit code, the failing checks with what each leads to, the highest level and all levels reached, of one case."""
    args = case["args"]
    try:
        verifier = Verifier(
            [files[path] for path in args["pubkeys"]],
            args["fingerprints"],
            args["witnesses"],
            files[args["keptCheckpoint"]] if args["keptCheckpoint"] else None,
            files[args["witnessPolicy"]] if args["witnessPolicy"] else None,
            files[args["policy"]] if args["policy"] else None,
            args["asOf"],
            [files[path] for path in args["authorities"]],
        )
        code = verifier.run(files[case["file"]], args["level"])
    except Usage:
        return 2, {}, None, []
    return code, {name: exit for exit, name, _ in verifier.failures}, verifier.level, sorted(verifier.reached)


# Where these fail, places of rows are unknown, and what else is judged is the reader's own.
OPEN = {"chain-genesis", "disclosure-cover"}


def complete(cases, files):
    """Puts all that the second verifier says into the cases; one line for each in which that is something else than expected."""
    for case in cases:
        exit, codes, level, case["levels"] = judge(case, files)
        stated = exit != 4 or case["level"] in (None, level)
        if exit != case["exit"] or set(case["codes"]) - codes.keys() or (exit == 0 and level != case["level"]) or not stated:
            yield f"{case['name']}: expected exit {case['exit']} {case['codes']} level {case['level']}, got {exit} {sorted(codes)} level {level}"
        case["complete"] = exit != 3 and not codes.keys() & OPEN
        if not case["complete"]:
            # None are expected where it is the order of reading that decides between several.
            codes = {code for code in codes if codes[code] == 3 or code in OPEN} if case["codes"] else ()
        case["codes"], case["level"] = sorted(codes), level


def unlabelled(cases, page):
    """One line for each attack of the page without a case, and for each label that the page does not have."""
    found = {case["attack"] for case in cases} - {None}
    known = dict(re.findall(r"^\| ([ATU][0-9]+) \| (.*?) \|$", page, re.MULTILINE))
    none = {label for label, text in known.items() if text.endswith("(no case: no verifier can tell)")}
    for label in sorted(found ^ (known.keys() - none)):
        yield f"{label}: has a case or a line in README.md, not both"
