"""Several processes copy the same paths at once, as two restores do."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pycomfy.adapters.nix.binary_cache import copy_between
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import valid_paths


def test_all_who_copy_the_same_paths_to_a_store_at_once_have_them(settings: NixSettings, tmp_path: Path) -> None:
    files = [tmp_path / f"file-{number}" for number in range(40)]
    for file in files:
        file.write_bytes(secrets.token_bytes(3000))
    source, cache = replace(settings, store=tmp_path / "source"), f"file://{tmp_path}/cache"
    added = source.run("nix-store", "--add", *files)
    paths = added.stdout.decode().split()
    copy_between(settings, str(tmp_path / "source"), cache, paths)
    target = tmp_path / "target"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: copy_between(settings, cache, str(target), paths), range(4)))
    assert set(valid_paths(replace(settings, store=target), paths)) == set(paths)
