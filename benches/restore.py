#!/usr/bin/env python3
"""Wall time and memory of `walwarden restore` beside `pg_restore`, in one session, from the same stored dump.

    benches/restore.py [--megabytes 600] [--major 17] [--rounds 3] [--small-tables 200] [--jobs 2 4]

The rivals are `pg_restore` from a pipe, and a download of the dump followed by `pg_restore -j 4`. Neither checks what it restores. The
rounds alternate, the best of each side counts. With --row-megabytes, only the peak memory of restoring rows of that size is taken.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import throwaway

ROOT = Path(__file__).resolve().parent.parent
WALWARDEN = ROOT / "target" / "release" / "walwarden"

# What makes a restore more than a copy of rows.
INDEXES = """
create index on customers (email);
create index on customers (created_at);
create index on events (at);
create index on events using gin ((body -> 'tags'));
create index on invoices (due);
alter table pictures add primary key (id);
alter table events add foreign key (customer_id) references customers;
"""
SMALL = """
do $$ begin
  for n in 1..{tables} loop
    execute format('create table small_%s (id int primary key, name text)', n);
    execute format('insert into small_%s select i, md5(i::text) from generate_series(1, 500) i', n);
    execute format('create index on small_%s (name)', n);
  end loop;
end $$
"""


class Bench:
    def __init__(self, bin_dir: Path, server: str, out: Path):
        self.bin_dir, self.server, self.out = bin_dir, server, out
        self.environment = {**os.environ, "WALWARDEN_HOME": str(out / "home"), "WALWARDEN_CLIENT_DIRS": str(bin_dir)}

    def psql(self, database: str, *commands: str) -> None:
        arguments = [argument for command in commands for argument in ("-c", command)]
        subprocess.run([self.bin_dir / "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", f"{self.server} dbname={database}", *arguments], check=True)

    def settled(self) -> None:
        """Without what the round before left to be written."""
        self.psql("postgres", "drop database if exists copy", "checkpoint")
        os.sync()

    def shell(self, script: str) -> float:
        self.settled()
        started = time.monotonic()
        self.psql("postgres", "create database copy template template0")
        subprocess.run(["bash", "-o", "pipefail", "-ec", script], check=True)
        return time.monotonic() - started

    def walwarden(self, manifest: str, *options: str) -> tuple[float, float]:
        """Seconds, and peak memory in MiB."""
        self.settled()
        command = [WALWARDEN, "restore", "--manifest", manifest, "--from", f"file://{self.out}/store", "--target", f"{self.server} dbname=postgres"]
        command += ["--mode", "new_database", "--created-database", "copy", "--json", *options]
        peak = self.out / "peak"
        started = time.monotonic()
        subprocess.run(["/usr/bin/time", "-f", "%M", "-o", peak, *command], env=self.environment, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - started, int(peak.read_text().split()[-1]) / 1024

    def back_up(self) -> tuple[str, Path]:
        (self.out / "store").mkdir()
        subprocess.run([WALWARDEN, "init"], env=self.environment, check=True, stdout=subprocess.DEVNULL)
        command = [WALWARDEN, "backup", "run", "--dsn", f"{self.server} dbname=source", "--to", f"file://{self.out}/store", "--jobs", "2", "--json"]
        told = subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout
        manifest = json.loads(told.splitlines()[-1])["payload"]["manifestSha256"]
        return manifest, next((self.out / "store").rglob("*.dump"))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--megabytes", type=int, default=600)
    arguments.add_argument("--major", type=int, default=17)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--small-tables", type=int, default=200)
    arguments.add_argument("--jobs", nargs="+", default=["2", "4"], help="connections that walwarden restores over")
    arguments.add_argument("--row-megabytes", type=int)
    chosen = arguments.parse_args()

    with throwaway.postgres(chosen.major) as (bin_dir, server), tempfile.TemporaryDirectory(prefix="ww-bench-") as folder:
        out = Path(folder)
        bench = Bench(bin_dir, server, out)
        bench.psql("postgres", "create database source")
        if chosen.row_megabytes:
            row = f"insert into rows select n, repeat(md5(n::text), {chosen.row_megabytes << 15}) from generate_series(1, 4) n"
            bench.psql("source", "create table rows (n int, body text)", "alter table rows alter body set storage external", row)
            manifest, _ = bench.back_up()
            for check in ["counts", "digests"]:
                seconds, peak = bench.walwarden(manifest, "--jobs", "4", "--no-spool", "--check", check)
                print(f"4 rows of {chosen.row_megabytes} MiB, --check {check}: {seconds:.2f} s, {peak:.1f} MiB", flush=True)
            return
        throwaway.fill(bin_dir, f"{server} dbname=source", chosen.megabytes)
        bench.psql("source", INDEXES, SMALL.format(tables=chosen.small_tables), "vacuum analyze")
        manifest, dump = bench.back_up()
        print(f"dump: {dump.stat().st_size / 1e6:.0f} MB, PostgreSQL {chosen.major}, {os.cpu_count()} CPUs", flush=True)
        target = f"{server} dbname=copy"
        ways = {
            "pg_restore from a pipe": lambda: (bench.shell(f"cat '{dump}' | '{bin_dir}/pg_restore' --exit-on-error -d '{target}'"), 0.0),
            "download, pg_restore -j 4": lambda: (
                bench.shell(f"cp '{dump}' '{out}/copy.dump' && '{bin_dir}/pg_restore' --exit-on-error -j 4 -d '{target}' '{out}/copy.dump'; rm '{out}/copy.dump'"),
                0.0,
            ),
        }
        for jobs in chosen.jobs:
            ways[f"walwarden --jobs {jobs}"] = lambda jobs=jobs: bench.walwarden(manifest, "--jobs", jobs, "--no-spool")
        ways["walwarden, one small table"] = lambda: bench.walwarden(manifest, "--no-spool", "--table", "small_7")
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(chosen.rounds):
            for name, way in ways.items():
                times[name].append(way())
                print(f"  {name}: {times[name][-1][0]:.2f} s", flush=True)
        piped, downloaded = (min(times[name])[0] for name in list(ways)[:2])
        print(f"{'':<28} {'best':>9} {'to pipe':>8} {'to -j 4':>8} {'peak MiB':>9}")
        for name, rounds in times.items():
            seconds, peak = min(rounds)[0], max(peak for _, peak in rounds)
            print(f"{name:<28} {seconds:>7.2f} s {piped / seconds:>7.2f}x {downloaded / seconds:>7.2f}x {peak:>9.1f}")


if __name__ == "__main__":
    main()
