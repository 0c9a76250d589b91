"""Backs up what it is told to, for cron or a task of Airflow:

    nightly.py BACKUPS shop=postgresql://ada@db/shop crm=postgresql://ada@db/crm

Key and catalogue lie in BACKUPS/home, passwords come from where libpq takes them. Each database gets its evidence bundle
beside. Ends with the status of the worst failure (1: worth trying again), so that the scheduler knows what to do.
"""

import asyncio
import sys
from pathlib import Path

import walwarden


async def back_up(engine: walwarden.Engine, storage: walwarden.Destination, name: str, source: str) -> int:
    try:
        sealed = await engine.backup_async(name, source, storage, jobs=2)
    except walwarden.Error as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit
    print(f"{name}: {sealed.manifest_sha256}")
    return 0


async def main(folder: Path, databases: dict[str, str]) -> int:
    home = folder / "home"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file = home / "signing-key.pem"
    key = walwarden.FileKey.load(key_file) if key_file.exists() else walwarden.FileKey.generate(key_file)
    engine = walwarden.Engine("acme", signer=key, catalog=home / "catalog.db")
    storage = walwarden.open_storage(str((folder / "store").absolute()), make_folder=True)
    ends = await asyncio.gather(*(back_up(engine, storage, *database) for database in databases.items()))

    for name, end in zip(databases, ends, strict=True):
        if end == 0:
            bundle = folder / f"{name}.evidence.tgz"
            bundle.unlink(missing_ok=True)
            await engine.export_evidence_async(name, [storage], bundle)
            report = await walwarden.verify_async(bundle, public_keys=[key.public_key])
            print(f"{name}: {report.verdict}, {report.manifests} backups")
    return max(ends)


if __name__ == "__main__":
    folder, *pairs = sys.argv[1:]
    sys.exit(asyncio.run(main(Path(folder), dict(pair.split("=", 1) for pair in pairs))))
