"""`python3 -m make` writes the vectors next to this folder; `--check` proves that they are what it would write."""

import argparse
import json
import shutil
import sys
from pathlib import Path

from . import audit, bad_chain, bad_container, bad_documents, bad_keys, bad_statement, disclosure, documents, edges, good, keys, quorum, stamps
from .cases import WITNESSES, Cases
from .note import vkey
from .selftest import complete, unlabelled

HERE = Path(__file__).parent.parent
FOLDERS = ["good", "bad", "keys", "kept", "policies", "authorities", "documents"]


def everything():
    """Every generated file by its path under spec/vectors, the cases, and in what the second verifier disagrees."""
    cases = Cases()
    for key in keys.ALL:
        cases.keep(f"keys/{key.name}.pub.pem", key.pem.encode())
        cases.keep(f"keys/{key.name}.TEST-ONLY.key.pem", key.private_pem().encode())
    vkeys = [vkey(name, key.raw, 4) for name, key in WITNESSES.items()]
    cases.keep("keys/witnesses.vkeys", "".join(line + "\n" for line in vkeys).encode())
    for part in (good, bad_chain, bad_keys, quorum, bad_documents, bad_statement, audit, disclosure, stamps, bad_container, edges):
        part.add(cases)
    cases.files |= documents.files()
    problems = [*complete(cases.cases, cases.files), *unlabelled(cases.cases, (HERE / "README.md").read_text())]
    cases.files["cases.json"] = (json.dumps(cases.cases, indent=1, ensure_ascii=False) + "\n").encode()
    return cases.files, cases.cases, problems


def on_disk():
    paths = [path for folder in FOLDERS for path in (HERE / folder).rglob("*") if path.is_file()]
    paths += [path for path in [HERE / "cases.json"] if path.exists()]
    return {path.relative_to(HERE).as_posix(): path.read_bytes() for path in paths}


def check(files):
    found = on_disk()
    for path in sorted(files.keys() | found.keys()):
        if files.get(path) != found.get(path):
            yield f"{path}: differs from what the generator makes"
    yield from documents.disagreements(files)


def write(files):
    for folder in FOLDERS:
        shutil.rmtree(HERE / folder, ignore_errors=True)
    for path, data in files.items():
        target = HERE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def main():
    parser = argparse.ArgumentParser(prog="make", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing, and run the second verifier")
    chosen = parser.parse_args()
    files, cases, problems = everything()
    if not chosen.check:
        write(files)
        print("\n".join([*problems, f"{len(files)} files written"]))
        return 1 if problems else 0
    problems += check(files)
    print("\n".join(problems) or f"{len(files)} files as generated, {len(cases)} cases as expected")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
