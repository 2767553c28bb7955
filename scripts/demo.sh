#!/usr/bin/env bash
# The main job, end to end, on the example: lock, build, run. A second run takes seconds.
# usage: demo.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

place=${1:-demo/hello}
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
step build pycomfy build "$place" --json >"$place/build.json"
step run pycomfy run hello --output "$place/output" --json >"$place/run.json"

python3 - "$place" <<'END'
import json, pathlib, sys
place = pathlib.Path(sys.argv[1])
build = json.loads((place / "build.json").read_text())
run = json.loads((place / "run.json").read_text())
print(f"""version  {build["name"]}@{build["version"]}
digest   {build["manifest_digest"]}
size     {build["size"] / 1e9:.2f} GB in {len(build["diff_ids"])} layers""")
for output in run["outputs"]:
    print("picture ", output["path"])
END
printf '%s\n' "${times[@]}"
cat <<END

What to try next:
  . .venv/bin/activate
  pycomfy log                      the versions built so far
  pycomfy verify hello             build again in an empty store, and compare every digest
  pycomfy run hello -o pictures    run it again
  pycomfy run hello --serve        serve it as an API, until Ctrl-C
  pycomfy inspect $place/workflow.json
END
