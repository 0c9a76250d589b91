"""Manifests, archive indexes, dumps and receipts beside the chain, for the second verifier."""

from .reader import canonical
from .rules import describes, layout_holds, outcome_holds
from .signatures import sha256
from .tree import tree_root


def judge_manifests(verifier, files):
    rows = [row for row in verifier.rows if row["kind"] == "backup.completed"]
    completed = {row["jobId"]: row for row in rows}
    for job in completed:
        verifier.demand(f"backups/{job}/manifest.json" in files, "manifest-missing", job)
    hashes = [row["payload"]["manifestSha256"] for row in rows]
    verifier.demand(len(hashes) == len(set(hashes)), "manifest-duplicate")
    for path, data in files.items():
        if path.startswith("backups/"):
            job = path.split("/")[1]
            manifest = verifier.documents.get(f"backups/{job}/manifest.json")
            if path.endswith("/manifest.json"):
                judge_manifest(verifier, path, job, manifest, data, completed.get(job))
            elif path.endswith("/index.json"):
                judge_index(verifier, path, manifest, data, files.get(f"backups/{job}/artifact.dump"))
            elif verifier.demand(manifest, "artifact-unnamed", path):
                verifier.artifacts += verifier.demand(describes(manifest, data), "artifact-digest", path)


def judge_manifest(verifier, path, job, manifest, data, row):
    anchor = manifest["auditAnchor"]
    same = all(manifest[name] == verifier.genesis[name] for name in ("orgId", "databaseId"))
    verifier.demand(same, "manifest-subject", path)
    verifier.demand(manifest["jobId"] == job, "manifest-job", path)
    times = [manifest[name] for name in ("queuedAt", "startedAt", "finishedAt")]
    verifier.demand(times == sorted(times), "manifest-times", path)
    verifier.demand(layout_holds(manifest), "manifest-layout", path)
    verifier.demand((manifest["index"] is None) == (manifest["contentRoot"] is None), "manifest-content-root", path)
    stated = {"manifestSha256": sha256(data), "checksumSha256": manifest["checksumSha256"],
              "sizeBytes": manifest["sizeBytes"]}  # fmt: skip
    announced = row and all(row["payload"][name] == value for name, value in stated.items())
    verifier.demand(announced, "manifest-announced", path)
    seq = anchor["seq"]
    if row:
        queued, completed = verifier.chain.completed[job]
        hidden = verifier.part and seq not in verifier.hashes
        inside = queued <= seq < completed and (hidden or verifier.hashes.get(seq) == anchor["hash"])
        verifier.demand(inside and anchor["chainId"] == verifier.genesis["chainId"], "manifest-anchor", path)
    if seq:
        verifier.signed_by_chain(manifest, seq, "manifest", path)


def judge_index(verifier, path, manifest, data, artifact):
    named = manifest and manifest["index"]
    if not verifier.demand(named, "index-unnamed", path):
        return
    index, encrypted = verifier.documents[path], manifest["encryption"]
    verifier.demand(describes(named, data), "index-digest", path)
    tables = [canonical(entry) for entry in index["entries"] if entry["desc"] == "TABLE DATA"]
    verifier.demand(tree_root(tables).hex() == manifest["contentRoot"], "manifest-content-root", path)
    size, chunk = manifest["sizeBytes"], index["chunkSizeBytes"]
    plain_size = encrypted["plaintextSizeBytes"] if encrypted else size
    ranges = [(entry["offset"], entry["length"]) for entry in index["entries"] if entry["offset"] is not None]
    fits = index["tocSizeBytes"] <= plain_size and all(sum(range) <= plain_size for range in ranges)
    count = -(-size // chunk)
    told = all((entry["desc"] == "TABLE DATA") == (entry["rowCount"] is not None) for entry in index["entries"])
    agrees = index["jobId"] == manifest["jobId"] and len(index["chunks"]) == count and fits and told
    verifier.demand(agrees, "index-rules", path)
    if artifact is not None:
        chunks = [sha256(artifact[at : at + chunk]) for at in range(0, len(artifact), chunk)]
        verifier.demand(chunks == index["chunks"], "index-chunks", path)


def judge_receipts(verifier, files):
    places = [(row["seq"] if verifier.part else place, row) for place, row in enumerate(verifier.rows, 1)]
    ends = {row["jobId"]: (place, row) for place, row in places if row["kind"] in ("drill.passed", "drill.failed")}
    completed = {row["payload"]["manifestSha256"]: place for place, row in places if row["kind"] == "backup.completed"}
    for job, (_, row) in ends.items():
        named = row["payload"]["receiptSha256"]
        verifier.demand(named is None or f"drills/{job}/receipt.json" in files, "receipt-missing", job)
    for path, data in files.items():
        if not path.startswith("drills/"):
            continue
        job, receipt = path.split("/")[1], verifier.documents[path]
        ended, row = ends.get(job, (None, None))
        same = all(receipt[name] == verifier.genesis[name] for name in ("orgId", "databaseId"))
        verifier.demand(same, "receipt-subject", path)
        verifier.demand(receipt["jobId"] == job, "receipt-job", path)
        verifier.demand(receipt["startedAt"] <= receipt["finishedAt"], "receipt-times", path)
        verifier.demand(outcome_holds(receipt), "receipt-outcome", path)
        announced = row and row["payload"]["receiptSha256"] == sha256(data)
        announced = announced and row["kind"] == "drill." + receipt["outcome"]
        verifier.demand(announced, "receipt-announced", path)
        if row:
            seq = completed.get(receipt["manifestSha256"], 0 if verifier.part else ended)
            verifier.demand(seq < ended, "receipt-manifest", path)
            verifier.signed_by_chain(receipt, ended, "receipt", path)
