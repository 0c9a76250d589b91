"""Runs the fenced commands of docs/verify-by-hand.md in order and compares what they print with the page.

The commands of the README.txt that bundles carry are run too.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

VECTORS = Path(__file__).resolve().parent.parent
PAGE = VECTORS.parent.parent / "docs" / "verify-by-hand.md"
README = VECTORS.parent.parent / "walwarden-core/src/export/README.txt"
BLOCK = re.compile(r"```sh\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
END = "-- end of block --"


def run(page, bundle, pubkey):
    """What each block printed, up to the first that failed, and whether all went well."""
    script = "set -e\n" + "".join(f"{block[0]}echo '{END}'\n" for block in BLOCK.findall(page))
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"BUNDLE": str(bundle), "PUBKEY": str(pubkey), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    return done.stdout.split(f"{END}\n"), done.returncode == 0, done.stderr


def readme_page():
    """The README of a bundle in the form of the page: its indented lines are the commands."""
    commands = [line[2:] for line in README.read_text().split("\n") if line.startswith("  ") and "walwarden-verify" not in line]
    unpack = 'mkdir evidence && cd evidence && tar -xzf "$BUNDLE"'
    return "\n".join(["```sh", unpack, *commands, "```", ""])


def main():
    page = PAGE.read_text()
    bundle, pubkey = VECTORS / "good/artifact-included.evidence.tgz", VECTORS / "keys/alpha.pub.pem"
    printed, went_well, errors = run(page, bundle, pubkey)
    if not went_well:
        sys.exit(f"the commands of {PAGE.name} failed:\n{errors}")
    printed_by_readme, went_well, errors = run(readme_page(), bundle, pubkey)
    if not went_well or printed_by_readme[0].count("Signature Verified Successfully") != 2:
        sys.exit(f"the commands of {README.name} failed:\n{errors}")
    if "--write" in sys.argv:
        outputs = iter(printed)

        def generated(found):
            output = next(outputs)
            return f"```sh\n{found[1]}```\n" + (f"\n```text\n{output}```\n" if output else "")

        page = BLOCK.sub(generated, page)
        PAGE.write_text(page)
    wrong = [command for (command, expected), output in zip(BLOCK.findall(page), printed) if expected != output]
    if wrong:
        sys.exit(f"{PAGE.name} shows another output than: {wrong[0]}")
    script = re.search(r"<<'END'\n(.*?)\nEND\n", page, re.DOTALL)[1]
    lines = [line for line in script.split("\n") if line]
    if len(lines) > 30:
        sys.exit(f"the script has {len(lines)} lines, more than 30")
    for name in ("artifact-replaced", "manifest-forged", "checkpoint-other-root", "readme-changed-after-signing", "seq-gap",
                 "envelope-forged", "payload-changed-hash-kept", "file-unlisted", "completed-other-digest"):  # fmt: skip
        if run(page, VECTORS / f"bad/{name}.evidence.tgz", pubkey)[1]:
            sys.exit(f"the commands accept bad/{name}.evidence.tgz")
    for name in ("manifest-forged", "envelope-forged", "completed-other-digest"):
        if run(readme_page(), VECTORS / f"bad/{name}.evidence.tgz", pubkey)[1]:
            sys.exit(f"the commands of {README.name} accept bad/{name}.evidence.tgz")
    print(f"{len(printed) - 1} blocks of {PAGE.name} and {README.name} work as shown; bad bundles fail them")


if __name__ == "__main__":
    main()
