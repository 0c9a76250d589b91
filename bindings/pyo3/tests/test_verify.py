"""The verifier says what it says everywhere."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import walwarden
from conftest import ALPHA, ROOT, VECTORS

GOOD = VECTORS / "good/artifact-included.evidence.tgz"
NOW = "2030-01-01T00:00:00.000Z"


def trust(args: dict[str, Any]) -> walwarden.Trust:
    """What a case of the vectors brings."""

    def text(names: list[str]) -> list[str]:
        return [(VECTORS / name).read_text() for name in names]

    brought: walwarden.Trust = {
        "public_keys": text(args["pubkeys"]),
        "fingerprints": args["fingerprints"],
        "witnesses": args["witnesses"],
        "level": args["level"],
        "now": NOW,
        "authorities": text(args["authorities"]),
    }
    if args["witnessPolicy"]:
        brought["witness_policy"] = (VECTORS / args["witnessPolicy"]).read_bytes()
    if args["policy"]:
        brought["policy"] = (VECTORS / args["policy"]).read_bytes()
    if args["asOf"]:
        brought["as_of"] = args["asOf"]
    if args["keptCheckpoint"]:
        brought["since"] = (VECTORS / args["keptCheckpoint"]).read_bytes()
    return brought


def outcome(case: dict[str, Any]) -> dict[str, Any]:
    """The line of a case in the table of all languages."""
    try:
        report = walwarden.verify(VECTORS / case["file"], **trust(case["args"]))
    except walwarden.Error as error:
        return {"name": case["name"], "exit": error.exit, "level": None, "codes": [], "reportSha256": None}
    return {
        "name": case["name"],
        "exit": report.exit,
        "level": report.level,
        "codes": sorted({finding.code for finding in report.failures}),
        "reportSha256": hashlib.sha256(report.to_json()).hexdigest(),
    }


def test_a_bundle_may_be_whatever_lends_its_memory() -> None:
    whole = GOOD.read_bytes()
    for bundle in (whole, bytearray(whole), memoryview(b"x" + whole)[1:]):
        assert walwarden.verify(bundle, public_keys=[ALPHA], now=NOW).exit == 0
    for given in (b"no policy", bytearray(b"no policy")):
        with pytest.raises(walwarden.InvalidError, match="policy"):
            walwarden.verify(whole, public_keys=[ALPHA], policy=given)


def test_every_vector_ends_as_it_should() -> None:
    cases = json.loads((VECTORS / "cases.json").read_text())
    outcomes = [outcome(case) for case in cases]
    for case, found in zip(cases, outcomes, strict=True):
        assert found["exit"] == case["exit"], case["name"]
        assert case["level"] in (None, found["level"]), case["name"]
        assert set(case["codes"]) <= set(found["codes"]), case["name"]
    assert len(outcomes) > 800
    folder = Path(os.environ.get("WALWARDEN_PARITY", ROOT / "target/parity"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "python.jsonl").write_text("".join(json.dumps(found) + "\n" for found in outcomes))


def test_a_report_is_readable() -> None:
    report = walwarden.verify(GOOD.read_bytes(), public_keys=[ALPHA], now=NOW)
    assert (report.exit, report.level, report.asked, report.verdict) == (0, 2, 2, "verified")
    assert str(report).splitlines()[0].startswith("OK: ")
    assert report.failures == [] and report.findings
    assert [key.pinned for key in report.keys] == [True]
    assert report.not_proven
    assert json.loads(report.to_json())["verifiedAt"] == NOW
    assert report.to_html().startswith("<!")


def test_what_is_wrong_is_in_the_report() -> None:
    damaged = bytearray(GOOD.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    for bundle in [bytes(damaged), b"", b"\x1f\x8b nonsense"]:
        report = walwarden.verify(bundle, public_keys=[ALPHA])
        assert report.exit in (1, 3) and report.level is None and report.failures
    unkeyed = walwarden.verify(GOOD)
    assert unkeyed.exit == 4
    assert [finding.code for finding in unkeyed.failures]


def test_arguments_without_meaning_are_told(tmp_path: Path) -> None:
    for brought, told in [
        ({"public_keys": ["x"]}, "public key: "),
        ({"public_keys": [ALPHA, "x"]}, "public key 2: "),
        ({"level": 9}, "level: there are the levels 0 to 4"),
        ({"now": "noon"}, "now: "),
        ({"policy": b"{}"}, "policy: "),
    ]:
        with pytest.raises(walwarden.InvalidError, match=told) as raised:
            walwarden.verify(GOOD, **brought)  # type: ignore[arg-type]
        assert raised.value.code == "argument-invalid" and raised.value.exit == 2
    for unreadable in [tmp_path / "absent.tgz", tmp_path]:
        with pytest.raises(walwarden.InvalidError) as raised:
            walwarden.verify(unreadable)
        assert raised.value.code == "file-failed" and raised.value.causes
    with pytest.raises(TypeError):
        walwarden.verify(GOOD, pubkey=ALPHA)  # type: ignore[call-arg]


def test_a_hundred_at_once_do_not_block_the_loop() -> None:
    async def run() -> int:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.001)
                beats += 1

        pulse = asyncio.create_task(beat())
        bundle = GOOD.read_bytes()
        reports = await asyncio.gather(
            *(walwarden.verify_async(bundle, public_keys=[ALPHA]) for _ in range(100))
        )
        pulse.cancel()
        assert {report.exit for report in reports} == {0}
        return beats

    assert asyncio.run(run()) > 5


def test_cancelled_tasks_give_up_their_turn() -> None:
    async def run() -> None:
        bundle = GOOD.read_bytes()
        tasks = [asyncio.create_task(walwarden.verify_async(bundle, public_keys=[ALPHA])) for _ in range(100)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends)
        assert (await walwarden.verify_async(bundle, public_keys=[ALPHA])).exit == 0

    asyncio.run(run())


def test_it_verifies_in_a_forked_child() -> None:
    assert walwarden.verify(GOOD, public_keys=[ALPHA]).exit == 0
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(walwarden.verify(GOOD, public_keys=[ALPHA]).exit)
    assert os.waitpid(child, 0)[1] == 0


LEFT = """
import asyncio, sys, walwarden
bundle, key = open(sys.argv[1], "rb").read(), open(sys.argv[2]).read()
loop = asyncio.new_event_loop()
tasks = [loop.create_task(walwarden.verify_async(bundle, public_keys=[key])) for _ in range(300)]
loop.run_until_complete(asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))
"""


def test_an_interpreter_may_end_while_much_is_under_way() -> None:
    """A thread that enters it too late would end the process."""
    for _ in range(25):
        left = [sys.executable, "-c", LEFT, str(GOOD), str(VECTORS / "keys/alpha.pub.pem")]
        ended = subprocess.run(left, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, (ended.returncode, ended.stderr)


def test_importing_it_takes_no_time() -> None:
    before = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import walwarden"], check=True)
    print(f"interpreter and import: {(time.perf_counter() - before) * 1000:.0f} ms")
