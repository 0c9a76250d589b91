"""A throwaway Postgres server for benchmarks, filled with mixed data."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

TOOLS = Path(
    os.environ.get("WALWARDEN_TOOLS")
    or ("/var/cache/walwarden" if os.geteuid() == 0 else Path.home() / ".cache/walwarden")
)

# Text that compresses like prose, jsonb like events, numbers like invoices, bytes like pictures: about 1 kB a row.
FILL = """
create table customers as
  select i as id, 'customer ' || i as name, md5(i::text) || '@example.org' as email,
         timestamptz '2024-01-01' + i * interval '37 seconds' as created_at,
         (select string_agg((array['backup','restore','proof','ledger','harbour','winter','signal','orchard'])
                            [1 + (hashint4(i * 31 + w) & 7)], ' ') from generate_series(1, 60) w) as notes
  from generate_series(1, {customers}) i;
create table events as
  select i as id, (i::int8 * 7919) % {customers} + 1 as customer_id, timestamptz '2024-01-01' + i * interval '11 seconds' as at,
         jsonb_build_object('kind', (array['view','cart','pay','ship'])[1 + i % 4], 'session', md5((i / 9)::text),
                            'price', (hashint4(i) & 65535) / 100.0, 'tags', jsonb_build_array(i % 13, i % 17, i % 19)) as body
  from generate_series(1, {events}) i;
create table invoices as
  select i as id, (hashint4(i) & 16777215)::numeric / 100 as amount, (hashint4(i + 1) & 16777215)::numeric / 7 as tax,
         date '2024-01-01' + i % 700 as due, timestamp '2024-01-01' + i * interval '1 minute' as booked
  from generate_series(1, {invoices}) i;
create table pictures as
  select i as id, (select string_agg(sha256((i * 1000 + b)::text::bytea), ''::bytea) from generate_series(1, 250) b) as image
  from generate_series(1, {pictures}) i;
alter table customers add primary key (id);
alter table events add primary key (id);
create index on events (customer_id);
alter table invoices add primary key (id);
"""


@contextlib.contextmanager
def postgres(major: int, niceness: int = 0):
    """Starts a server of the given major and yields (bin folder, connection string without database)."""
    bin_dir = TOOLS / "pg" / str(major) / "bin"
    if not bin_dir.exists():
        raise SystemExit(f"PostgreSQL {major} is missing: run scripts/install-postgres {major}")
    folder = Path(tempfile.mkdtemp(prefix="ww-bench-"))
    as_server = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        as_server = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "check": True, "cwd": "/"}
    subprocess.run([*as_server, bin_dir / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"], **quiet)
    options = f"-p {port} -k {folder} -c fsync=off -c full_page_writes=off -c max_wal_size=8GB -c shared_buffers=512MB -c jit=off"
    subprocess.run(["nice", "-n", str(niceness), *as_server, bin_dir / "pg_ctl", "-D", data, "-l", folder / "log", "-o", options, "-w", "start"], **quiet)
    try:
        yield bin_dir, f"host={folder} port={port} user=postgres"
    finally:
        subprocess.run([*as_server, bin_dir / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)


def fill(bin_dir: Path, dsn: str, megabytes: int) -> None:
    """Fills a database so that its uncompressed dump is about so many megabytes."""
    unit = megabytes
    sql = FILL.format(customers=unit * 500, events=unit * 2000, invoices=unit * 2000, pictures=unit * 16)
    subprocess.run([bin_dir / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-c", sql, "-c", "vacuum analyze"], check=True)


def fill_one(bin_dir: Path, dsn: str, megabytes: int) -> None:
    """The same with the largest of the tables alone."""
    lines = FILL.split(";\n")
    alone = next(line for line in lines if line.strip().startswith("create table events"))
    sql = alone.format(customers=megabytes * 500, events=megabytes * 6000)
    subprocess.run([bin_dir / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-c", sql, "-c", "vacuum analyze"], check=True)
