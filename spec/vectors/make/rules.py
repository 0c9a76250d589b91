"""What must hold within one document, for the second verifier."""

from .signatures import sha256


def describes(named, data):
    return named["sizeBytes"] == len(data) and named["checksumSha256"] == sha256(data)


def layout_holds(manifest):
    day = manifest["queuedAt"][:10].replace("-", "/")
    stem = f"org/{manifest['orgId']}/db/{manifest['databaseId']}/backup/{day}/{manifest['jobId']}"
    keys = {"index": f"{stem}.index.json", "globals": f"{stem}.globals.sql"}
    ending = ".dump.age" if manifest["encryption"] else ".dump"
    named = all(manifest[name] is None or manifest[name]["key"] == key for name, key in keys.items())
    return named and manifest["artifactKey"] == stem + ending


def outcome_holds(receipt):
    same = [
        (table["expectedRows"], table["expectedDigest"]) == (table["actualRows"], table["actualDigest"])
        for table in receipt["tables"]
    ]
    failed = any(check["outcome"] == "failed" for check in receipt["checks"])
    return receipt["outcome"] == "failed" or (bool(same) and all(same) and not failed)
