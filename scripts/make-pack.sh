#!/usr/bin/env bash
# Makes a git repository of a folder, always the same one: fixed author, dates and options.
# usage: make-pack.sh FOLDER REPOSITORY
set -euo pipefail
source=$1 repository=$2
export GIT_AUTHOR_NAME=pycomfy GIT_AUTHOR_EMAIL=pycomfy@example.org GIT_AUTHOR_DATE='2025-12-01T00:00:00Z'
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null

rm -rf "$repository"
mkdir -p "$repository"
cp -R "$source/." "$repository/"
find "$repository" -name __pycache__ -prune -exec rm -rf {} +
cd "$repository"
git -c init.defaultBranch=main init --quiet
git add --all
git -c commit.gpgSign=false -c core.hooksPath=/dev/null commit --quiet --message "Hello"
