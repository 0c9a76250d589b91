#!/usr/bin/env bash
# A whole bundle verified, in events a second, beside a plain Node implementation of the same checks and beside
# `openssl dgst -sha256` on as many bytes; then memory, with ten million events and 5 GB (FULL=1: ten minutes).
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --release --package walwarden-verify --features aws-lc-rs,lanes --examples
examples=target/release/examples
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

$examples/large_bundle 200000 1000 "$folder/small.tgz"
for _ in 1 2 3; do
  $examples/verify_bundle "$folder/small.tgz" "$folder/small.tgz.pub.pem"
  node benches/verify.mjs "$folder/small.tgz"
done

# The dump is stored uncompressed, as `evidence export` stores it.
$examples/large_bundle 8 1073741824 "$folder/artifact.tgz"
cat "$folder/artifact.tgz" >/dev/null # into the page cache
timed() { # NAME COMMAND...
  local name=$1 started
  shift
  started=$(date +%s.%N)
  "$@" >/dev/null
  echo "$name: $(echo "1024 / ($(date +%s.%N) - $started)" | bc) MiB/s"
}
for _ in 1 2 3; do
  timed "a bundle with a dump of 1 GiB" $examples/verify_bundle "$folder/artifact.tgz" "$folder/artifact.tgz.pub.pem"
  timed "openssl dgst -sha256 of as much" openssl dgst -sha256 "$folder/artifact.tgz"
done

if [ -n "${FULL:-}" ]; then
  $examples/large_bundle 10000000 1800000000 "$folder/large.tgz"
  /usr/bin/time -f '%M kB at most' $examples/verify_bundle "$folder/large.tgz" "$folder/large.tgz.pub.pem"
fi
