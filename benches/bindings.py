#!/usr/bin/env python3
"""What it costs to reach the engine from Python, beside the command line, in one session; and what its work costs an event loop.

    benches/bindings.py [--megabytes 200] [--rounds 5]

A bundle of 100 MB verified, and a backup made, each with whole processes and, for verifying, inside a running interpreter. The rounds
alternate, the best of each side counts. Then 100 verifications and 10 backups at once, from asyncio and from Node. It wants the release
build of the commands, `./just wheel` and `./just npm`.
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


# Delays of a loop that has nothing to do but to be woken each millisecond.
BUSY = """
import asyncio, sys, time, walwarden
bundle, public, private, bin_dir, dsn, out = sys.argv[1:]
engine = walwarden.Engine("acme", signer=walwarden.FileKey.load(private), client_dirs=[bin_dir])
storage, key = walwarden.open_storage(out, make_folder=True), open(public).read()

async def p99(work):
    delays = []
    async def beat():
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            delays.append(time.perf_counter() - before - 0.001)
    pulse = asyncio.create_task(beat())
    await work
    pulse.cancel()
    return sorted(delays)[len(delays) * 99 // 100] * 1000

async def backups():
    await asyncio.gather(*(engine.backup_async(f"shop-{n}", dsn, storage) for n in range(10)))

async def verifications(until):
    async def round():
        while not until.done():
            assert (await walwarden.verify_async(bundle, public_keys=[key])).exit == 0
    await asyncio.gather(*(round() for _ in range(100)))

async def both():
    made = asyncio.ensure_future(backups())
    await asyncio.gather(made, verifications(made))

async def main():
    idle = await p99(asyncio.sleep(2))
    alone = await p99(verifications(asyncio.ensure_future(asyncio.sleep(3))))
    print(f"asyncio: p99 {alone:.1f} ms, {await p99(backups()):.1f} ms, {await p99(both()):.1f} ms; {idle:.1f} ms with nothing to do")

asyncio.run(main())
"""
SMALL = ROOT / "spec/vectors/good/one-backup.evidence.tgz"
SMALL_KEY = ROOT / "spec/vectors/keys/alpha.pub.pem"


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

        (out / "npm").mkdir()
        shutil.copy(ROOT / "bindings/napi/bench.cjs", out / "npm")
        for package in ["verifier", "cli"]:
            packed = sorted((ROOT / "target/npm").glob(f"walwarden-{package}-*.tgz"))
            install = ["npm", "install", "--silent", "--offline", "--no-audit", "--no-fund", "--prefix"]
            subprocess.run([*install, out / "npm" / package, *packed], check=True)
        print("event loops, with 100 verifications always under way, with 10 backups, and with both:")
        # At the niceness of the jobs, the server takes the processors from the loop no more than one elsewhere does.
        for place, niceness in [("here", 0), ("as if elsewhere", 10)]:
            print(f"server {place}:")
            with throwaway.postgres(17, niceness) as (bin_dir, server):
                dsn = f"{server} dbname=postgres"
                throwaway.fill(bin_dir, dsn, 50)
                load = [SMALL, SMALL_KEY, home / "signing-key.pem", bin_dir, dsn]
                subprocess.run([python, "-c", BUSY, *load, out / f"busy-python-{niceness}"], check=True)
                subprocess.run(["node", out / "npm/bench.cjs", "busy", *load, out / f"busy-node-{niceness}"], check=True)


if __name__ == "__main__":
    main()
