"""A user's files on their way into a job."""

import hashlib
import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.adapters.containers import job_inputs
from pycomfy.adapters.containers.job_inputs import copy_input, read_input, safe_name
from pycomfy.errors import BadInput, NotFound

HASH = hashlib.sha256(b"picture").hexdigest()


@given(st.text(st.characters(exclude_characters="\0"), min_size=1))
def test_a_name_is_harmless_whatever_the_file_is_called(name: str) -> None:
    made = safe_name(HASH, name)
    assert re.fullmatch(r"[0-9a-f]{16}-[A-Za-z0-9_][A-Za-z0-9_-]*(\.[a-z0-9]+)?", made)
    assert len(made) < 100


def test_a_file_gets_a_name_of_its_content_and_its_own(tmp_path: Path) -> None:
    (tmp_path / "my [input] photo.PNG").write_bytes(b"picture")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "my [input] photo.PNG").write_bytes(b"another")
    (tmp_path / "link.png").symlink_to("my [input] photo.PNG")
    folder = tmp_path / "job" / "input"
    names = [
        copy_input(str(tmp_path / name), folder, "job_inputs.image")
        for name in ("my [input] photo.PNG", "other/my [input] photo.PNG", "link.png")
    ]
    assert names[0] == f"{HASH[:16]}-my-input-photo.png" and names[2] == f"{HASH[:16]}-link.png"
    assert names[1] != names[0] and sorted(names) == sorted(p.name for p in folder.iterdir())
    assert (folder / names[0]).read_bytes() == b"picture" and not (folder / names[2]).is_symlink()


def test_standard_input_is_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"picture")))
    assert copy_input("-", tmp_path, "job_inputs.image") == f"{HASH[:16]}-stdin"


def test_only_regular_files_are_taken_and_nothing_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for source in (tmp_path / "pipe.png", tmp_path, Path("/dev/zero")):
        for read in (
            lambda s: copy_input(s, tmp_path / "job", "job_inputs.x"),
            lambda s: read_input(s, "job_inputs.x"),
        ):
            with pytest.raises(BadInput, match="not a regular file") as caught:
                read(str(source))
            assert caught.value.where == "job_inputs.x" and caught.value.fix
    assert not any((tmp_path / "job").glob("*"))


@pytest.mark.parametrize("source", ["gone.png", "", "a\0b", "x" * 5000])
def test_what_is_no_file_is_told(tmp_path: Path, source: str) -> None:
    with pytest.raises(BadInput) as caught:
        copy_input(source, tmp_path, "job_inputs.image")
    assert caught.value.where == "job_inputs.image" and caught.value.fix
    assert isinstance(caught.value, NotFound) == (source in ("gone.png", ""))


def test_too_large_a_file_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"x" * 100)
    monkeypatch.setattr(job_inputs, "MAX_BYTES", 99)
    monkeypatch.setattr(job_inputs, "MAX_TEXT", 99)
    with pytest.raises(BadInput, match="larger than"):
        copy_input(str(tmp_path / "a.png"), tmp_path / "job", "job_inputs.image")
    with pytest.raises(BadInput, match="larger than"):
        read_input(str(tmp_path / "a.png"), "job_inputs.text")
    assert list((tmp_path / "job").iterdir()) == []
