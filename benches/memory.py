#!/usr/bin/env python3
"""Peak memory of `walwarden backup run`, whatever the size of the dump.

    benches/memory.py [--gigabytes 1 8]

A stand-in for pg_dump streams the bytes, so that 8 GB need no 8 GB database; everything else is the real thing.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import throwaway

ROOT = Path(__file__).resolve().parent.parent
WALWARDEN = ROOT / "target" / "release" / "walwarden"

STAND_IN = """#!/bin/sh
case "$1" in --version) echo 'pg_dump (PostgreSQL) {version}'; exit 0;; esac
case "$*" in *nowhere*) exit 1;; esac
cat '{parts}/head'
for _ in $(seq {units}); do cat '{parts}/rows'; done
cat '{parts}/tail'
"""
ROW = b"x" * 997
UNIT_BYTES = 10**7


def integer(value: int) -> bytes:
    """As archives write it: a sign, then four bytes from the lowest on."""
    return b"\0" + value.to_bytes(4, "little")


def parts_of_an_archive(bin_dir: Path, dsn: str, parts: Path) -> None:
    """An archive of one table with one row, taken apart so that the row can be repeated."""
    parts.mkdir()
    table = f"create table letters (line text); insert into letters values ('{ROW.decode()}')"
    subprocess.run([bin_dir / "psql", "-qX", "-d", dsn, "-c", table], check=True)
    archive = subprocess.run([bin_dir / "pg_dump", "-Fc", "--compress=none", "-d", dsn], check=True, capture_output=True).stdout
    begin = archive.index(ROW)
    length = int.from_bytes(archive[begin - 4 : begin], "little")
    (parts / "head").write_bytes(archive[: begin - 5])
    line = ROW + b"\n"
    (parts / "rows").write_bytes((integer(len(line)) + line) * (UNIT_BYTES // len(line)))
    rest = archive[begin + len(line) :]
    if length > len(line):
        rest = integer(length - len(line)) + rest
    (parts / "tail").write_bytes(rest)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--gigabytes", type=int, nargs="+", default=[1, 8])
    chosen = arguments.parse_args()
    with throwaway.postgres(17) as (bin_dir, server), tempfile.TemporaryDirectory(prefix="ww-bench-") as folder:
        out = Path(folder)
        environment = {**os.environ, "WALWARDEN_HOME": str(out / "home")}
        subprocess.run([WALWARDEN, "init"], env=environment, check=True, stdout=subprocess.DEVNULL)
        version = subprocess.run([bin_dir / "pg_dump", "--version"], check=True, capture_output=True, text=True).stdout.split()[2]
        parts = out / "parts"
        parts_of_an_archive(bin_dir, f"{server} dbname=postgres", parts)
        print(f"{'dump GB':>8} {'seconds':>8} {'MB/s':>6} {'peak MiB':>9}")
        for gigabytes in chosen.gigabytes:
            clients = out / f"clients-{gigabytes}"
            clients.mkdir()
            for name in ("pg_dump", "pg_restore", "pg_dumpall"):
                program = clients / name
                program.write_text(STAND_IN.format(version=version, parts=parts, units=gigabytes * 10**9 // UNIT_BYTES))
                program.chmod(0o755)
            environment["WALWARDEN_CLIENT_DIRS"] = str(clients)
            store = out / f"store-{gigabytes}"
            command = [WALWARDEN, "backup", "run", "--dsn", f"{server} dbname=postgres", "--to", f"file://{store}", "--database", f"b{gigabytes}", "--json"]
            peak = out / "peak"
            started = time.monotonic()
            subprocess.run(["/usr/bin/time", "-f", "%M", "-o", peak, *command], env=environment, check=True, stdout=subprocess.DEVNULL)
            seconds = time.monotonic() - started
            print(f"{gigabytes:>8} {seconds:>8.1f} {gigabytes * 1000 / seconds:>6.0f} {int(peak.read_text().split()[-1]) / 1024:>9.1f}", flush=True)
            for stored in store.rglob("*.dump"):
                stored.unlink()


if __name__ == "__main__":
    main()
