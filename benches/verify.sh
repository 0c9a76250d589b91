#!/usr/bin/env bash
# Chain verification in events a second, and hashing beside `openssl dgst -sha256` on as many bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --release --package walwarden-verify --features aws-lc-rs --example chain_speed
target/release/examples/chain_speed
file=$(mktemp)
trap 'rm -f "$file"' EXIT
head -c 1G /dev/urandom > "$file"
openssl dgst -sha256 "$file" >/dev/null # into the page cache
started=$(date +%s.%N)
openssl dgst -sha256 "$file" >/dev/null
echo "openssl dgst -sha256: $(echo "1024 / ($(date +%s.%N) - $started)" | bc) MiB/s"
