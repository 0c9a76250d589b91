"""The commands that the package installs are the real ones."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import VECTORS, Server

BIN = Path(sys.executable).parent


def run(command: str, *arguments: str, clients: Path = BIN) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{clients}:{os.environ['PATH']}"}
    return subprocess.run(
        [str(BIN / command), *arguments], capture_output=True, text=True, env=environment
    )


def test_the_verifier_is_there() -> None:
    bundle = str(VECTORS / "good/one-backup.evidence.tgz")
    key = str(VECTORS / "keys/alpha.pub.pem")
    good = run("walwarden-verify", "--bundle", bundle, "--pubkey", key)
    assert (good.returncode, good.stderr) == (0, "")
    assert "verified (level 2" in good.stdout
    unkeyed = run("walwarden-verify", "--bundle", bundle, "--json")
    assert (unkeyed.returncode, json.loads(unkeyed.stdout)["exit"]) == (4, 4)
    assert run("walwarden-verify", "--bundle", "absent").returncode == 2
    wrong = run("walwarden-verify", "--nonsense")
    assert wrong.returncode == 2 and "--nonsense" in wrong.stderr
    assert run("walwarden-verify", "--help").returncode == 0


def test_a_backup_and_a_restore_on_the_command_line(server: Server, shop: str, tmp_path: Path) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert run("walwarden", *home, "key", "generate").returncode == 0
    made = run("walwarden", *home, "backup", "run", "--dsn", shop, "--to", str(tmp_path / "store"), "--database", "shop", clients=server.bin_dir)
    assert made.returncode == 0, made.stderr
    records = [json.loads(line) for line in made.stdout.splitlines()]
    assert records[-1]["state"] == "completed"
    manifest = records[-1]["payload"]["manifestSha256"]
    restored = run(
        "walwarden", *home, "restore", "--manifest", manifest, "--from", str(tmp_path / "store"),
        "--target", server.dsn("postgres"), "--mode", "new_database", "--created-database", "by_command",
        clients=server.bin_dir,
    )
    assert restored.returncode == 0, restored.stderr
    assert server.sql("by_command", "select count(*) from orders") == "5000"
    server.sql("postgres", "drop database by_command")
    assert run("walwarden", *home, "backup", "run").returncode == 2


def until(server: Server, query: str) -> None:
    for _ in range(600):
        if server.sql("postgres", query) == "t":
            return
        time.sleep(0.05)
    raise AssertionError(query)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_job_of_a_command(server: Server, shop: str, tmp_path: Path, asked: signal.Signals) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert run("walwarden", *home, "key", "generate").returncode == 0
    hold = "begin; lock table orders in access exclusive mode; select pg_sleep(60)"
    holder = subprocess.Popen([str(server.bin_dir / "psql"), "-d", shop, "-c", hold])
    try:
        until(server, "select exists (select from pg_stat_activity where wait_event = 'PgSleep')")
        made = [str(BIN / "walwarden"), *home, "backup", "run", "--dsn", shop, "--to", str(tmp_path / "store"), "--database", "shop"]
        environment = os.environ | {"PATH": f"{server.bin_dir}:{os.environ['PATH']}"}
        command = subprocess.Popen(made, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        until(server, "select exists (select from pg_stat_activity where wait_event_type = 'Lock')")
        command.send_signal(asked)
        told, complaints = command.communicate(timeout=60)
        assert command.returncode == 4, complaints
        assert "cancelled" in told and "Traceback" not in complaints
    finally:
        waiting = "wait_event = 'PgSleep' or wait_event_type = 'Lock'"
        server.sql("postgres", f"select pg_terminate_backend(pid) from pg_stat_activity where {waiting}")
        holder.wait(60)
