"""`python3 -m make.check_reports VERIFIER` runs that program over every case, and holds its reports to the schema.

Judged by the package `jsonschema`, which knows nothing of Walwarden. The page and the signed summary are looked at too.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import jsonschema

from .bundle import pae
from .keys import key
from .reader import pem_keys
from .signatures import good_signature, key_id
from .witness import Quorum

HERE = Path(__file__).parent.parent
AUDITOR = key("auditor")


def arguments(case):
    args = case["args"]
    command = ["--bundle", case["file"], "--level", str(args["level"])]
    for name, values in [("--pubkey", args["pubkeys"]), ("--fingerprint", args["fingerprints"]), ("--witness", args["witnesses"]),
                         ("--tsa-ca", args["authorities"])]:
        for value in values:
            command += [name, value]
    for name, value in [("--since", args["keptCheckpoint"]), ("--witness-policy", args["witnessPolicy"]),
                        ("--policy", args["policy"]), ("--as-of", args["asOf"])]:
        command += [name, value] if value is not None else []
    return command


def run(verifier, *more):
    return subprocess.run([verifier, *more], cwd=HERE, capture_output=True, check=False)


def report_flaws(case, verifier, schema):
    done = run(verifier, "--json", *arguments(case))
    report = json.loads(done.stdout)
    yield from (error.message[:200] for error in schema.iter_errors(report))
    if done.returncode != case["exit"] or report["exit"] != case["exit"]:
        yield f"exit {done.returncode}, reported {report['exit']}, expected {case['exit']}"
    failed = {check["code"] for check in report.get("checks", []) if check["status"] == "failed"}
    if missing := set(case["codes"]) - failed:
        yield f"codes missing: {sorted(missing)}"
    if case["complete"] and (others := failed - set(case["codes"])):
        yield f"codes beyond those expected: {sorted(others)}"
    if report.get("level") != case["level"]:
        yield f"level {report.get('level')}, expected {case['level']}"


class Page(HTMLParser):
    """Collects what a page could load or run."""

    def __init__(self):
        super().__init__()
        self.suspicious, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "img", "link", "iframe", "object", "form", "a"):
            self.suspicious.append(tag)
        self.suspicious += [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def paper_flaws(case, verifier, folder):
    """The page and the summary of a case."""
    page, summary, secret = folder / "page.html", folder / "summary.json", folder / "auditor.pem"
    for path in (page, summary):
        path.unlink(missing_ok=True)
    if not secret.exists():
        secret.write_bytes(AUDITOR.private_pem().encode())
        secret.chmod(0o600)
    done = run(verifier, "--json", *arguments(case), "--html", page, "--vsa", summary, "--vsa-key", secret)
    if done.returncode != case["exit"]:
        yield f"exit {done.returncode} with papers"
    if case["exit"] == 2:
        return
    parsed = Page()
    parsed.feed(page.read_text())
    if parsed.suspicious or "Not proven" not in parsed.text:
        yield f"the page holds {parsed.suspicious}"
    envelope = json.loads(summary.read_text())
    payload = base64.b64decode(envelope["payload"])
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    if not good_signature(AUDITOR.raw, signature, pae(payload, envelope["payloadType"])):
        yield "the summary's signature fails"
    predicate = json.loads(payload)["predicate"]
    if predicate["verificationResult"] != ("PASSED" if case["exit"] == 0 else "FAILED"):
        yield f"the summary says {predicate['verificationResult']}"
    args = case["args"]

    def digest(path):
        return {"digest": {"sha256": hashlib.sha256((HERE / path).read_bytes()).hexdigest()}}

    stated = {"policy": digest(args["policy"]) if args["policy"] else {"uri": "https://walwarden.dev/evidence-bundle/v1"}}
    for name, path in [("walwardenWitnessPolicy", args["witnessPolicy"]), ("walwardenKeptCheckpoint", args["keptCheckpoint"])]:
        stated |= {name: digest(path)} if path else {}
    stated |= {"walwardenWitnesses": args["witnesses"]} if args["witnesses"] else {}
    stated |= {"walwardenAuthorities": [digest(path) for path in args["authorities"]]} if args["authorities"] else {}
    pins = [key_id(raw) for path in args["pubkeys"] for raw in pem_keys((HERE / path).read_bytes())] + args["fingerprints"]
    report = json.loads(done.stdout)
    logs = Quorum((HERE / args["witnessPolicy"]).read_bytes()).logs if args["witnessPolicy"] else []
    of_this_chain = [key_id(raw) for name, _, raw in logs if name == f"walwarden/{report['orgId']}/{report['chainId']}"]
    pins += [pin for pin in of_this_chain if pin not in pins]
    stated |= {"walwardenPinnedKeys": pins, "walwardenExit": case["exit"]}
    stated |= {"walwardenAsked": args["level"]} | ({"walwardenAsOf": args["asOf"]} if args["asOf"] else {})
    if any(predicate.get(name) != value for name, value in stated.items()):
        yield f"the summary says {predicate}"
    if json.loads(payload)["subject"][0]["digest"] != digest(case["file"])["digest"]:
        yield "the summary is of another file"
    reached = {f"WALWARDEN_LEVEL_{level}" for level in case["levels"]} if case["exit"] == 0 else set()
    if set(predicate["verifiedLevels"]) != reached:
        yield f"the summary says {predicate['verifiedLevels']}"


def main():
    verifier = str(Path(sys.argv[1]).resolve())
    document = json.loads((HERE.parent / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(document)
    schema = jsonschema.Draft202012Validator(document)
    cases = json.loads((HERE / "cases.json").read_text())
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            flaws = [*report_flaws(case, verifier, schema), *paper_flaws(case, verifier, Path(folder))]
            problems += [f"{case['name']}: {flaw}" for flaw in flaws]
    print("\n".join(problems) or f"{len(cases)} reports, pages and summaries as they must be")
    return 1 if problems or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
