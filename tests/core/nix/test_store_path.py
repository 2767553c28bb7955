import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.core.nix.store_path import FixedOutput, from_nix32, is_store_path, split_path, to_nix32

hashes = st.binary(min_size=32, max_size=32)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9+._?=-]{0,60}", fullmatch=True)


@given(st.binary(min_size=1, max_size=64))
def test_base_32_comes_back(data: bytes) -> None:
    assert from_nix32(to_nix32(data)) == data


@pytest.mark.parametrize("text", ["e", "zzzzzzz", "0" * 51 + "Z", "é"])
def test_what_is_no_base_32_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_nix32(text)


@pytest.mark.skipif(shutil.which("nix-store") is None, reason="nix-store is not installed")
@settings(max_examples=10)
@given(hashes, names, st.booleans())
def test_paths_are_those_that_nix_computes(sha256: bytes, name: str, recursive: bool) -> None:
    flags = ["--recursive"] if recursive else []
    command = ["nix-store", "--print-fixed-path", *flags, "sha256", sha256.hex(), "--", name]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout.strip() == FixedOutput(name, sha256, recursive).path, done.stderr


@given(hashes, names, st.booleans())
def test_a_path_can_be_split(sha256: bytes, name: str, recursive: bool) -> None:
    path = FixedOutput(name, sha256, recursive).path
    assert is_store_path(path) and split_path(path)[1] == name


PATHS = ["", "/nix/store", "/nix/store/../etc/passwd", "/nix/store/" + "0" * 32 + "-.x", "/tmp/" + "0" * 32 + "-x"]


@pytest.mark.parametrize("text", PATHS)
def test_what_is_no_store_path_is_refused(text: str) -> None:
    assert not is_store_path(text)
    with pytest.raises(ValueError):
        split_path(text)
