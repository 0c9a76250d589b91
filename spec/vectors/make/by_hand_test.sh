#!/bin/sh
# Follows docs/verify-by-hand.md word by word on a good vector, and once more on a copy with one changed byte.
# With --write, puts the output into the page.
set -eu
make=$(cd "$(dirname "$0")" && pwd)
exec python3 "$make/by_hand.py" "$@"
