"""The commands that the package installs are the real ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

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
