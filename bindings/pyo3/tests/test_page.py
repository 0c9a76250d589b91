"""docs/python.md does what it says: its snippets run in order, with a real server and folder in the place of the examples'."""

import os
import re
from pathlib import Path

import pytest
from conftest import ROOT, Server


def test_every_snippet_runs(
    server: Server, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs/python.md").read_text()
    snippets = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(snippets) == len(re.findall("```python", page)) >= 7
    (tmp_path / "backups").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{server.bin_dir}:{os.environ['PATH']}")
    place = f"postgresql://{server.user}@{server.host}:{server.port}"
    names: dict[str, object] = {}
    for snippet in snippets:
        snippet = snippet.replace("postgresql://ada@db.example.org", place)
        snippet = snippet.replace("/srv/backups", str(tmp_path / "backups"))
        exec(compile(snippet, "docs/python.md", "exec"), names)
    told = capsys.readouterr().out
    assert "verified\n" in told
    assert "source-unreachable" in told
    assert "completed" in told
    server.sql("postgres", "drop database shop_again")


def test_the_first_snippet_is_ten_lines() -> None:
    page = (ROOT / "docs/python.md").read_text()
    first = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    assert len([line for line in first.splitlines() if line]) <= 10
