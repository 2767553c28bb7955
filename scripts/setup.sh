#!/usr/bin/env bash
# Installs what pycomfy needs here: Debian packages where apt may, and the Python environment in .venv.
# usage: setup.sh [run|story|bench|fuzz]
set -euo pipefail
cd "$(dirname "$0")/.."

# program:package, what each is for is said in the README
programs=(git:git nix-build:nix-bin podman:podman runc:runc skopeo:skopeo gpgv:gpgv)
[ "${1:-run}" = bench ] && programs+=(buildah:buildah)

missing=()
for entry in "${programs[@]}"; do
    program=${entry%%:*}
    # Docker can stand in for Podman.
    [ "$program" = podman ] && command -v docker >/dev/null && docker info >/dev/null 2>&1 && continue
    # Podman takes either runtime; Docker has its own.
    [ "$program" = runc ] && { command -v crun >/dev/null || [ -x /usr/sbin/crun ]; } && continue
    [ "$program" = runc ] && ! command -v podman >/dev/null && [[ ! " ${missing[*]-} " =~ " podman " ]] && continue
    command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || missing+=("${entry##*:}")
done
python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || missing+=(python3 python3-venv)

if [ ${#missing[@]} -gt 0 ]; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "Installing Debian packages: ${missing[*]}" >&2
        export DEBIAN_FRONTEND=noninteractive
        log=$(mktemp)
        { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}" ca-certificates; } >"$log" 2>&1 ||
            { tail -n 20 "$log" >&2; echo "error: apt-get could not install ${missing[*]}; the whole log: $log" >&2; exit 1; }
        rm -f "$log"
    elif command -v apt-get >/dev/null; then
        echo "error: some programs are missing. Install them, then run this again:" >&2
        echo "  sudo apt-get update && sudo apt-get install -y ${missing[*]}" >&2
        exit 1
    else
        echo "error: some programs are missing (as Debian packages: ${missing[*]})." >&2
        echo "  Nix:              the official installer, https://nixos.org/download" >&2
        echo "  Podman or Docker: your distribution's package; then run this again" >&2
        exit 1
    fi
fi

# A browser is nothing that one is asked to install: without it its stories are skipped.
if [ "${1:-run}" = story ] && ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "Installing Debian packages: chromium" >&2
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } \
        >/dev/null 2>&1 || echo "chromium could not be installed: the stories in a browser are skipped" >&2
fi

# uv at the version of the lock; it then installs everything else, and nothing that the lock does not name.
uv_version=$(awk '$0 == "name = \"uv\"" { getline; gsub(/[^0-9.]/, ""); print; exit }' uv.lock)
if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$uv_version" ]; then
    echo "Installing uv $uv_version" >&2
    python3 -m venv --clear .venv
    .venv/bin/pip install --quiet --disable-pip-version-check "uv==$uv_version" 2>&1 | { grep -v '^WARNING' || true; }
fi
# The fuzzer is large: it stays out, and where it is, unless it is asked for.
groups=(--inexact)
[ "${1:-run}" = fuzz ] && groups=(--group fuzz)
.venv/bin/uv sync --locked --quiet "${groups[@]}"

# The page of `pycomfy serve`.
scripts/web.sh build
