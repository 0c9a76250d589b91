"""Every vector through the generated Python half: the same outcomes and the same bytes of each report."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import walwarden

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "spec/vectors"
NOW = "2030-01-01T00:00:00.000Z"


def trust(args: dict[str, Any]) -> walwarden.Trust:
    """What a case of the vectors brings."""

    def text(names: list[str] | None) -> list[str]:
        return [(VECTORS / name).read_text() for name in names or []]

    def octets(name: str | None) -> bytes | None:
        return (VECTORS / name).read_bytes() if name else None

    return walwarden.Trust(
        public_keys=text(args["pubkeys"]),
        fingerprints=args["fingerprints"],
        witnesses=args["witnesses"],
        witness_policy=octets(args["witnessPolicy"]),
        policy=octets(args["policy"]),
        since=octets(args["keptCheckpoint"]),
        authorities=text(args["authorities"]),
        level=args["level"],
        as_of=args["asOf"],
        now=NOW,
    )


def outcome(case: dict[str, Any]) -> dict[str, Any]:
    """The line of a case in the table of all languages."""
    bundle = (VECTORS / case["file"]).read_bytes()
    try:
        report = walwarden.verify_bytes(bundle, trust(case["args"]))
    except walwarden.WalwardenError.Failed as error:
        return {"name": case["name"], "exit": error.exit, "level": None, "codes": [], "reportSha256": None}
    return {
        "name": case["name"],
        "exit": report.exit,
        "level": report.level,
        "codes": sorted({finding.code for finding in report.findings if finding.status == "failed"}),
        "reportSha256": hashlib.sha256(report.json).hexdigest(),
    }


cases = json.loads((VECTORS / "cases.json").read_text())
outcomes = [outcome(case) for case in cases]
for case, found in zip(cases, outcomes, strict=True):
    assert found["exit"] == case["exit"], case["name"]
    assert case["level"] in (None, found["level"]), case["name"]
    assert set(case["codes"]) <= set(found["codes"]), case["name"]
assert len(outcomes) > 800
by_file = walwarden.verify_file(str(VECTORS / cases[0]["file"]), trust(cases[0]["args"]))
assert hashlib.sha256(by_file.json).hexdigest() == outcomes[0]["reportSha256"]
assert by_file.verdict == "verified" and by_file.html.startswith("<!")
folder = Path(os.environ.get("WALWARDEN_PARITY", ROOT / "target/parity"))
folder.mkdir(parents=True, exist_ok=True)
(folder / "uniffi.jsonl").write_text("".join(json.dumps(found) + "\n" for found in outcomes))
print(f"uniffi, Python: {len(outcomes)} vectors")
