#!/usr/bin/env python3
"""What it costs to reach the engine from Python, beside the command line, in one session.

    benches/bindings.py [--megabytes 200] [--rounds 5]

A bundle of 100 MB verified, and a backup made, each with whole processes and, for verifying, inside a running interpreter. The rounds
alternate, the best of each side counts. It wants the release build of the commands, and `./just wheel`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import throwaway

ROOT = Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target/release"

VERIFY = """
import sys, time, walwarden
key = open(sys.argv[2]).read()
best = 1e9
for _ in range(3):
    started = time.monotonic()
    report = walwarden.verify(sys.argv[1], public_keys=[key])
    best = min(best, time.monotonic() - started)
assert report.exit == 0, report
print(best)
"""

BACK_UP = """
import sys, walwarden
engine = walwarden.Engine("acme", signer=walwarden.FileKey.load(sys.argv[1]), catalog=sys.argv[2], client_dirs=[sys.argv[3]])
engine.backup("shop", sys.argv[4], walwarden.open_storage(sys.argv[5]))
"""


def timed(*command: object, **environment: str) -> float:
    started = time.monotonic()
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, env=os.environ | environment)
    return time.monotonic() - started


def told(what: str, theirs: float, ours: float) -> None:
    print(f"{what:<44} command {theirs:7.3f} s   Python {ours:7.3f} s   {ours / theirs:5.3f}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--megabytes", type=int, default=200)
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    [wheel] = (ROOT / "target/wheels").glob("*.whl")
    with tempfile.TemporaryDirectory(prefix="ww-bench-") as folder:
        out = Path(folder)
        subprocess.run([sys.executable, "-m", "venv", out / "venv"], check=True)
        python = out / "venv/bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel], check=True)
        installed = sum(file.stat().st_size for file in out.glob("venv/lib/*/site-packages/walwarden/**/*") if file.is_file())
        print(f"wheel {wheel.stat().st_size / 1e6:.1f} MB, installed {installed / 1e6:.1f} MB")

        timed(python, "-c", "import walwarden")
        bare = min(timed(python, "-c", "pass") for _ in range(10))
        imported = min(timed(python, "-c", "import walwarden") for _ in range(10))
        print(f"import {(imported - bare) * 1000:.0f} ms")

        bundle = out / "large.tgz"
        subprocess.run([RELEASE / "examples/large_bundle", "100000", "75000000", bundle], check=True, stdout=subprocess.DEVNULL)
        key = f"{bundle}.pub.pem"
        print(f"bundle {bundle.stat().st_size / 1e6:.0f} MB")
        command, script, inside = [], [], []
        for _ in range(chosen.rounds):
            command.append(timed(RELEASE / "walwarden-verify", "--bundle", bundle, "--pubkey", key))
            script.append(timed(out / "venv/bin/walwarden-verify", "--bundle", bundle, "--pubkey", key))
            ended = subprocess.run([python, "-c", VERIFY, bundle, key], check=True, capture_output=True, text=True)
            inside.append(float(ended.stdout))
        told("verify: walwarden.verify()", min(command), min(inside))
        told("verify: the command that the wheel installs", min(command), min(script))

        with throwaway.postgres(17) as (bin_dir, server):
            throwaway.fill(bin_dir, f"{server} dbname=postgres", chosen.megabytes)
            home, dsn = out / "home", f"{server} dbname=postgres"
            subprocess.run([RELEASE / "walwarden", "--home", home, "init"], check=True, stdout=subprocess.DEVNULL)
            command, ours = [], []
            for round_ in range(chosen.rounds):
                for times, name in [(command, "command"), (ours, "python")]:
                    store = out / f"store-{name}-{round_}"
                    store.mkdir()
                    if name == "command":
                        arguments = ["--home", home, "backup", "run", "--dsn", dsn, "--database", f"shop-{round_}", "--to", store]
                        times.append(timed(RELEASE / "walwarden", *arguments, WALWARDEN_CLIENT_DIRS=str(bin_dir)))
                    else:
                        catalog = out / f"catalog-{round_}.db"
                        times.append(timed(python, "-c", BACK_UP, home / "signing-key.pem", catalog, bin_dir, dsn, store))
                    shutil.rmtree(store)
            told(f"backup of {chosen.megabytes} MB", min(command), min(ours))


if __name__ == "__main__":
    main()
