# ruff: noqa: PTH102, PTH118, PTH123  (names are bytes, which pathlib does not take)
import base64
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings

from pycomfy.adapters.nix.nar_writer import hash_path
from pycomfy.errors import BadInput
from tests.support.properties import examples
from tests.support.trees import Tree, build, trees

needs_nix = pytest.mark.skipif(shutil.which("nix-hash") is None, reason="nix-hash is not installed")


def by_nix(path: Path) -> str:
    done = subprocess.run(["nix-hash", "--type", "sha256", path], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def as_hex(sri: str) -> str:
    return base64.b64decode(sri.removeprefix("sha256-")).hex()


@needs_nix
@settings(max_examples=examples(30))
@given(trees)
def test_every_tree_has_the_hash_that_nix_gives_it(tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree"
        build(path, tree)
        assert as_hex(hash_path(path)) == by_nix(path)


def test_known_trees_have_known_hashes(tmp_path: Path) -> None:
    # By `nix-hash --type sha256`; these need no Nix.
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"hello\n")
    assert hash_path(tmp_path / "empty") == "sha256-pQpattmS9VmO3ZIQUFn66az8GSmB4IvYhTTCFn6SUmo="
    assert hash_path(tmp_path / "file") == "sha256-HDfQGvQL4ugGkd48w99EN3ppmvuxfGjwgJZLL9Bx/BM="


def test_times_owners_and_other_modes_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "t" / "file"
    file.parent.mkdir()
    file.write_text("x")
    before = hash_path(file.parent)
    os.utime(file, (1, 1))
    file.chmod(0o600)
    assert hash_path(file.parent) == before
    file.chmod(0o700)
    assert hash_path(file.parent) != before


def test_names_that_are_no_utf8_are_hashed(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "t")
    os.mkdir(folder)
    with open(folder + b"/\xff\xfe", "w"):
        pass
    assert hash_path(tmp_path / "t").startswith("sha256-")


def test_a_tree_deeper_than_pythons_recursion_is_hashed(tmp_path: Path) -> None:
    for depth in range(1, 1201):
        os.mkdir(os.path.join(tmp_path, *["d"] * depth))
    try:
        assert hash_path(tmp_path / "d").startswith("sha256-")
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # shutil.rmtree would recurse


def test_a_socket_is_refused_by_name(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "sock"))
        with pytest.raises(BadInput) as caught:
            hash_path(tmp_path)
    assert caught.value.where == str(tmp_path / "sock")
