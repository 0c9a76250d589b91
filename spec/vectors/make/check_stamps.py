"""`python3 -m make.check_stamps` asks `openssl ts -verify` about every timestamp of the vectors.

Where it may say something else than the vectors, the list below says why; anywhere else it must agree.
"""

import datetime
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from .stamp import AT

HERE = Path(__file__).parent.parent
LAX = "it is laxer about the form"
MAY_DIFFER = {
    "stamp-ed25519-sha256": "it reads no Ed25519 in timestamps", "stamp-ed25519-sha512": "it reads no Ed25519 in timestamps",
    "stamp-last-moment": "to it, a certificate ends a second before notAfter",
    "stamp-valid-just-then": "to it, a certificate ends a second before notAfter",
    "stamp-imprint-sha1": "it takes any digest for the imprint", "stamp-imprint-sha512": "it takes any digest for the imprint",
    "stamp-rsa-of-1024-bits": "it takes weak keys unless told otherwise",
    "stamp-signed-with-sha1": "it takes weak digests unless told otherwise",
    "stamp-signed-on-secp256k1": "it knows more curves",
    "stamp-signed-with-pss": "it looks at the certificate's key and the digest, not at the signature's algorithm",
    "stamp-algorithm-of-other-key": "it looks at the certificate's key and the digest, not at the signature's algorithm",
    "stamp-by-ca-for-stamps": "it lets a CA stamp",
    "stamp-path-of-six": "it follows longer paths",
    "stamp-intermediate-names": "it knows name constraints",
    "stamp-cross-certificate-last": "it goes on with the first certificate that fits, and never turns back",
    "stamp-two-ways": "it goes on with the first certificate that fits, and never turns back",
    "stamp-too-many-certificates": "it reads more certificates",
    "stamp-named-by-nothing-and-sha1": "it reads one of the two attributes",
    "stamp-named-by-two-of-sha1": "it reads one of the two attributes",
    "stamp-critical-extension": "it does not look at the extensions of TSTInfo",
} | dict.fromkeys(["stamp-certificate-of-year-zero", "stamp-content-type-missing", "stamp-content-type-other", "stamp-indefinite-length",
                   "stamp-length-not-shortest", "stamp-time-of-february", "stamp-time-of-zone", "stamp-time-without-seconds",
                   "stamp-time-without-zone", "stamp-trailing-byte", "stamp-two-responses"], LAX)  # fmt: skip


def seconds(response):
    """The time that is stated: openssl would ask whether certificates are valid now."""
    found = re.search(rb"\x18.(\d{14})", response, re.DOTALL)
    at = found[1].decode() if found and found[1] != b"20260230040000" else AT[:14]
    return int(datetime.datetime.strptime(at + "+0000", "%Y%m%d%H%M%S%z").timestamp())


def judged_alike(case, folder):
    """Whether it agrees; None where there is nothing to ask it about."""
    codes, authorities = set(case["codes"]), case["args"]["authorities"]
    files = tarfile.open(fileobj=io.BytesIO((HERE / case["file"]).read_bytes()))
    if "checkpoint.tsr" not in files.getnames() or not authorities or case["exit"] == 2:
        return None
    if codes and not any(code.startswith("timestamp-") for code in codes):
        return None
    (folder / "tsr").write_bytes(files.extractfile("checkpoint.tsr").read())
    (folder / "data").write_bytes(b"".join(files.extractfile("checkpoint").readlines()[:3]))
    (folder / "roots").write_bytes(b"".join((HERE / path).read_bytes() for path in authorities))
    command = ["openssl", "ts", "-verify", "-in", "tsr", "-data", "data", "-CAfile", "roots", "-partial_chain"]
    command += ["-attime", str(seconds((folder / "tsr").read_bytes()))]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return (done.returncode == 0) == (not codes)


def main():
    cases = json.loads((HERE / "cases.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        judged = {case["name"]: judged_alike(case, Path(folder)) for case in cases if case["requires"]}
    asked = [name for name, alike in judged.items() if alike is not None]
    differing = {name for name in asked if not judged[name]}
    for name in sorted(differing - MAY_DIFFER.keys()):
        print(f"{name}: openssl says otherwise")
    print(f"{len(asked)} timestamps, of which openssl judges {len(asked) - len(differing)} alike")
    return 1 if differing - MAY_DIFFER.keys() or not MAY_DIFFER.keys() <= set(asked) else 0


if __name__ == "__main__":
    sys.exit(main())
