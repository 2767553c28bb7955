#!/usr/bin/env bash
# Writes pycomfy/gateway/requirements.txt: the pins of the dependency group `gateway` in uv.lock, for every platform.
# Run it after a change to that group. A test compares the two.
# usage: gateway-requirements.sh [FILE]
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/uv export --frozen --offline --quiet --only-group gateway --no-header --no-annotate \
    --output-file "${1:-pycomfy/gateway/requirements.txt}"
