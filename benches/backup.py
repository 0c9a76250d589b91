#!/usr/bin/env python3
"""Wall time, CPU and memory of `walwarden backup run` beside `pg_dump | tee FILE | sha256sum`, in one session.

    benches/backup.py [--megabytes 600] [--major 17] [--rounds 3] [--jobs 1] [--one-table] [--compression gzip:9/zstd:1 zstd:3 …]

Each pair is what pg_dump compresses with, then what we do; one word is both. The rounds alternate, the best of each side counts. With
--one-table the data is one table, and the rival `pg_dump -Fd -j 2`, which cannot read that over its two connections.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import throwaway

ROOT = Path(__file__).resolve().parent.parent
WALWARDEN = ROOT / "target" / "release" / "walwarden"


def rival(bin_dir: Path, dsn: str, compression: str, out: Path) -> float:
    """The script a careful administrator writes: dump, store, hash."""
    dump = out / "rival.dump"
    dump.unlink(missing_ok=True)
    started = time.monotonic()
    pipeline = f"'{bin_dir}/pg_dump' -Fc --compress='{compression}' -d '{dsn}' | tee '{dump}' | sha256sum > '{out}/rival.sha256'; sync -f '{dump}'"
    subprocess.run(["bash", "-o", "pipefail", "-ec", pipeline], check=True)
    return time.monotonic() - started


def rival_with_jobs(bin_dir: Path, dsn: str, compression: str, out: Path) -> float:
    """The same with two connections, which takes the directory format."""
    shutil.rmtree(out / "rival", ignore_errors=True)
    started = time.monotonic()
    script = f"'{bin_dir}/pg_dump' -Fd -j 2 --compress='{compression}' -d '{dsn}' -f '{out}/rival'; sha256sum '{out}'/rival/* > '{out}/rival.sha256'; sync -f '{out}/rival'"
    subprocess.run(["bash", "-ec", script], check=True)
    return time.monotonic() - started


def ours(bin_dir: Path, dsn: str, compression: str, jobs: int, out: Path, home: Path) -> tuple[float, int]:
    """Seconds and peak memory in KiB of the walwarden process itself."""
    shutil.rmtree(out / "store", ignore_errors=True)
    (out / "store").mkdir()
    environment = {**os.environ, "WALWARDEN_HOME": str(home), "WALWARDEN_CLIENT_DIRS": str(bin_dir)}
    command = [WALWARDEN, "backup", "run", "--dsn", dsn, "--to", f"file://{out}/store", "--compression", compression, "--jobs", str(jobs), "--json"]
    peak = out / "peak"
    started = time.monotonic()
    subprocess.run(["/usr/bin/time", "-f", "%M", "-o", peak, *command], env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started, int(peak.read_text().split()[-1])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--megabytes", type=int, default=600)
    arguments.add_argument("--major", type=int, default=17)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--jobs", type=int, default=1, help="connections that walwarden reads over")
    arguments.add_argument("--compression", nargs="+", default=["gzip:9/zstd:1", "gzip:9/gzip:6", "gzip:6", "zstd:3", "none"])
    arguments.add_argument("--one-table", action="store_true")
    chosen = arguments.parse_args()

    with throwaway.postgres(chosen.major) as (bin_dir, server), tempfile.TemporaryDirectory(prefix="ww-bench-") as folder:
        out = Path(folder)
        home = out / "home"
        subprocess.run([WALWARDEN, "init"], env={**os.environ, "WALWARDEN_HOME": str(home)}, check=True, stdout=subprocess.DEVNULL)
        dsn = f"{server} dbname=postgres"
        if chosen.one_table:
            throwaway.fill_one(bin_dir, dsn, chosen.megabytes)
        else:
            throwaway.fill(bin_dir, dsn, chosen.megabytes)
        plain = subprocess.run(f"'{bin_dir}/pg_dump' -Fc --compress=none -d '{dsn}' | wc -c", shell=True, check=True, capture_output=True, text=True)
        print(f"uncompressed dump: {int(plain.stdout) / 1e6:.0f} MB, PostgreSQL {chosen.major}, {os.cpu_count()} CPUs")
        print(f"{'theirs/ours':<14} {'pg_dump, sha256sum':>22} {'MB':>6} {'walwarden':>10} {'MB':>6} {'time':>6} {'size':>6} {'peak MiB':>9}")
        for pair in chosen.compression:
            compression, _, own = pair.partition("/")
            own = own or compression
            theirs, mine, peaks = [], [], []
            for _ in range(chosen.rounds):
                theirs.append((rival_with_jobs if chosen.one_table else rival)(bin_dir, dsn, compression, out))
                seconds, peak = ours(bin_dir, dsn, own, chosen.jobs, out, home)
                mine.append(seconds)
                peaks.append(peak)
            stored = max(path.stat().st_size for path in (out / "store").rglob("*.dump"))
            rivals = sum(file.stat().st_size for file in (out / "rival").iterdir()) if chosen.one_table else (out / "rival.dump").stat().st_size
            print(
                f"{pair:<14} {min(theirs):>20.2f} s {rivals / 1e6:>6.0f} {min(mine):>8.2f} s {stored / 1e6:>6.0f}"
                f" {min(mine) / min(theirs):>6.3f} {stored / rivals:>6.3f} {max(peaks) / 1024:>9.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
