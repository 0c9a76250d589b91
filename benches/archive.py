#!/usr/bin/env python3
"""An uncompressed dump compressed by `walwarden-archive` beside `pg_dump` that compresses by itself.

    benches/archive.py [--megabytes 600] [--major 17] [--rounds 3] [--encoding zstd:1 zstd:3 gzip:6 gzip:9]

`pg_dump` reads from the server while it compresses; ours reads a file, and checks, indexes and counts rows as it goes.
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import throwaway

ROOT = Path(__file__).resolve().parent.parent


def dump(bin_dir: Path, dsn: str, compression: str, path: Path) -> tuple[float, float]:
    """Seconds, and seconds of processor time of `pg_dump` alone."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([bin_dir / "pg_dump", "-Fc", f"--compress={compression}", "-d", dsn, "-f", path], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - started, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--megabytes", type=int, default=600)
    arguments.add_argument("--major", type=int, default=17)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--encoding", nargs="+", default=["zstd:1", "zstd:3", "gzip:6", "gzip:9"])
    chosen = arguments.parse_args()

    with throwaway.postgres(chosen.major) as (bin_dir, server), tempfile.TemporaryDirectory(prefix="ww-bench-") as folder:
        dsn = f"{server} dbname=postgres"
        throwaway.fill(bin_dir, dsn, chosen.megabytes)
        plain = Path(folder) / "plain.dump"
        print(f"PostgreSQL {chosen.major}, {os.cpu_count()} CPUs", flush=True)
        for compression in ["none", "gzip:9", "zstd:3"]:
            path = plain if compression == "none" else Path(folder) / "rival.dump"
            seconds, cpu = min(dump(bin_dir, dsn, compression, path) for _ in range(chosen.rounds))
            print(f"pg_dump --compress={compression}: {seconds:.2f} s, {cpu:.2f} s CPU, {path.stat().st_size} bytes", flush=True)
            if path != plain:
                path.unlink()
        bench = ["cargo", "bench", "--quiet", "--package", "walwarden-archive", "--features", "aws-lc-rs", "--bench", "transcode"]
        subprocess.run([*bench, "--", "--rounds", str(chosen.rounds), plain, *chosen.encoding], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
