"""Runs the second verifier over the cases."""

from .verify import Usage, Verifier


def judge(case, files):
    """Exit code, codes of the failing checks, and the level reached, of one case."""
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
        return 2, set(), None
    return code, {name for _, name, _ in verifier.failures}, verifier.level


def disagreements(cases, files):
    """One line for every case in which the second verifier says something else than expected."""
    for case in cases:
        code, codes, level = judge(case, files)
        missing = set(case["codes"]) - codes
        if code != case["exit"] or missing or (code == 0 and level != case["level"]):
            yield f"{case['name']}: expected exit {case['exit']} {case['codes']}, got {code} {sorted(codes)} level {level}"
