"""Whatever is changed in a folder, the patch makes it of what was there before."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.adapters.capture.working_tree import compare_folders, make_patch
from pycomfy.adapters.git.patches import PatchRepository, apply_patch
from pycomfy.adapters.nix import nar_writer
from tests.support.properties import examples

NAMES = st.sampled_from(
    [
        "a.py",
        "b.py",
        "d/a.py",
        "d/e/b.py",
        "with space",
        "tab\there",
        "ünï",
        "-dash",
        '"quoted"',
        "back\\slash",
        ".hidden",
    ]
)
TEXTS = st.one_of(
    st.sampled_from(
        [b"", b"\n", b"no end", b"a\n", b"a\nb\n", b"a\n\nb\n", b"diff --git a/x b/x\n", b"-- \n", b"\xff\xfe\n"]
    ),
    st.binary(max_size=50),
    st.lists(st.sampled_from([b"x\n", b"y\n", b"z\r\n", b" \n"]), max_size=12).map(b"".join),
)
FILES = st.dictionaries(NAMES, st.tuples(TEXTS, st.booleans()), max_size=6)


def write(folder: Path, files: Mapping[str, tuple[bytes, bool]]) -> Path:
    folder.mkdir()
    for name, (data, program) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if program else 0o644)
    return folder


def plain(files: Mapping[str, tuple[bytes, bool]]) -> dict[str, tuple[bytes, bool]]:
    return {name: (data.replace(b"\r\n", b"\n"), program) for name, (data, program) in files.items()}


@settings(max_examples=examples(40))
@given(FILES, FILES)
def test_a_patch_makes_the_new_files_of_the_old(
    old: dict[str, tuple[bytes, bool]], new: dict[str, tuple[bytes, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        top = Path(place)
        base, folder = write(top / "base", old), write(top / "folder", new)
        bench = PatchRepository(top / "bench")
        patch = make_patch(compare_folders(base, folder, bench), bench)
        if patch is None:
            assert plain(old) == plain(new)
            return
        apply_patch(patch, base, "x")
        found = {
            p.relative_to(base).as_posix(): (p.read_bytes(), bool(p.stat().st_mode & 0o100))
            for p in base.rglob("*")
            if p.is_file()
        }
        # Line endings alone are no change; everything else is what it is.
        assert plain(found) == plain(new)
        if not any(b"\r\n" in data for data, _ in (*old.values(), *new.values())):
            assert nar_writer.hash_path(base) == nar_writer.hash_path(folder)
