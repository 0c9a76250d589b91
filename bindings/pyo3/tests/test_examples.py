"""The examples are programs that run."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, Server

NIGHTLY = ROOT / "bindings/pyo3/examples/nightly.py"


def test_nightly_backs_up_all_that_it_can_and_says_what_it_could_not(
    server: Server, shop: str, tmp_path: Path
) -> None:
    environment = os.environ | {"PATH": f"{server.bin_dir}:{os.environ['PATH']}"}
    arguments = [sys.executable, str(NIGHTLY), str(tmp_path), f"shop={shop}"]
    for count in (1, 2):
        ended = subprocess.run(arguments, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        assert f"shop: verified, {count} backups" in ended.stdout
    absent = subprocess.run(
        [*arguments, f"crm={server.dsn('crm')}"], env=environment, capture_output=True, text=True
    )
    assert absent.returncode == 2
    assert "crm" in absent.stderr and "source-database-missing" in absent.stderr
    assert "shop: verified, 3 backups" in absent.stdout
