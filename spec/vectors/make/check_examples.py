"""Proves that every worked example in the pages is what the generator makes.

A page marks an example by `<!-- example: NAME -->` before a fenced block. `python3 -m make.check_examples` compares the
blocks, and `--write` puts the generated text into them.
"""

import re
import sys
from pathlib import Path

from .examples import examples

SPEC = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"(<!-- example: ([a-z0-9-]+) -->\n```[a-z]*\n)(.*?)(\n?```\n)", re.DOTALL)


def main():
    known, used, wrong = examples(), set(), []

    for page in sorted(SPEC.glob("*.md")):
        before = page.read_text()

        def generated(found, page=page):
            head, name, body, _ = found.groups()
            used.add(name)
            if body != known[name]:
                wrong.append(f"{page.name}: example {name} is not what the generator makes")
            return f"{head}{known[name]}\n```\n"

        after = BLOCK.sub(generated, before)
        if before.count("<!-- example:") != len(BLOCK.findall(before)):
            wrong.append(f"{page.name}: an example mark is not followed by a fenced block")
        if "--write" in sys.argv:
            page.write_text(after)
    if not used:
        wrong.append("the pages have no examples")
    if "--write" in sys.argv:
        wrong = []
    print("\n".join(wrong) or f"{len(used)} examples as generated")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
