"""What a restore would do, asked through the generated Python half of a real server and a real backup."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import walwarden

ROOT = Path(__file__).resolve().parents[3]

PROGRAMS = Path(os.environ.get("WALWARDEN_PROGRAMS", ROOT / "target/debug"))
server_of_17 = [str(PROGRAMS / "throwaway-postgres"), "17"]
with subprocess.Popen(server_of_17, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
    assert server.stdin and server.stdout
    told = json.loads(server.stdout.readline())
    os.environ["PGPASSWORD"] = told["password"]
    dsn = f"host={told['host']} port={told['port']} user={told['user']} dbname=postgres"
    with tempfile.TemporaryDirectory() as folder:
        command = [str(PROGRAMS / "walwarden"), "--home", folder]
        environment = os.environ | {"PATH": f"{told['binDir']}:{os.environ['PATH']}"}

        def run(*arguments: str) -> str:
            ended = subprocess.run(
                [*command, *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=True
            )
            return ended.stdout

        run("key", "generate")
        store = f"{folder}/store"
        made = run("backup", "run", "--dsn", dsn, "--to", store, "--database", "shop", "--json")
        manifest = json.loads(made.splitlines()[-1])["payload"]["manifestSha256"]
        planned = walwarden.PlannedRestore(
            org_id="acme",
            manifest_sha256=manifest,
            storage=store,
            public_keys=[json.loads(run("key", "show", "--json"))["data"]["publicKey"]],
            target=dsn,
            mode="new_database",
            created_database="somewhere_else",
            client_dirs=[told["binDir"]],
        )
        plan = walwarden.plan_restore(planned)
        assert plan.database == "somewhere_else" and plan.dropped == [] and not plan.spools
        planned.target = f"{dsn} port=1"
        try:
            walwarden.plan_restore(planned)
        except walwarden.WalwardenError.Failed as error:
            assert error.code == "target-unreachable" and error.retryable, error
        else:
            raise AssertionError("nobody listens there")
    server.stdin.close()
print("uniffi, Python: restore plan")
