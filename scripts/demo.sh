#!/usr/bin/env bash
# The main job, end to end, on the example: lock, build, run. A second run takes seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

place=demo/hello
mkdir -p "$place"
cp examples/hello/workflow.json examples/hello/pycomfy.toml "$place/"
scripts/make-pack.sh examples/packs/hello-card "$place/packs/hello-card"

# step NAME COMMAND…: run it, and remember how long it took
times=()
step() {
    local name=$1 began=$EPOCHREALTIME
    shift
    echo "\$ $*" >&2
    "$@"
    times+=("$(awk -v n="$name" -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "  %-7s %6.1f s", n, b - a }')")
    echo >&2
}

step lock pycomfy lock "$place"
step build pycomfy build "$place"
step run pycomfy run hello --output "$place/output"

read -r digest size < <(pycomfy log hello --json | python3 -c '
import json, sys
newest = json.load(sys.stdin)[0]
print(newest["manifest_digest"], f"{newest['"'size'"'] / 1e9:.2f}GB")')
picture=$(ls -t "$place"/output/*.png | head -n 1)
echo "digest   $digest"
echo "size     $size"
echo "picture  $picture"
printf '%s\n' "${times[@]}"
cat <<END

What to try next:
  . .venv/bin/activate
  pycomfy log                      the versions built so far
  pycomfy verify hello             build again in an empty store, and compare every digest
  pycomfy run hello -o pictures    run it again
  pycomfy inspect $place/workflow.json
END
