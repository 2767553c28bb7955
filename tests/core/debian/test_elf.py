import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.debian.elf import Dynamic, read_dynamic
from tests.support.elf_files import make_elf

names = st.text(st.sampled_from("abcXYZ019_+.-"), min_size=1, max_size=40)


@given(
    st.lists(names, max_size=8, unique=True),
    st.just("") | names,
    st.just("") | st.from_regex(r"[a-z]{1,9}", fullmatch=True),
)
def test_what_a_file_needs_is_read_as_it_was_written(needed: list[str], soname: str, module: str) -> None:
    found = read_dynamic(make_elf(needed, soname, module))
    assert found == Dynamic(tuple(needed), soname, (module,) if module else ())


@given(st.binary(max_size=400) | st.binary(max_size=300).map(lambda rest: make_elf(["liba.so"])[:64] + rest))
def test_any_bytes_are_read_or_are_none(data: bytes) -> None:
    read_dynamic(data)


@given(st.data())
def test_a_damaged_file_harms_nothing(data: st.DataObject) -> None:
    raw = bytearray(make_elf(["liba.so.1", "libb.so.2"], "libc.so", "c"))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    read_dynamic(raw[: data.draw(st.integers(0, len(raw)))])


def test_a_real_module_needs_a_real_shared_library() -> None:
    spec = importlib.util.find_spec("_ssl")
    if spec is None or not str(spec.origin).endswith(".so") or sys.byteorder != "little" or sys.maxsize < 2**32:
        pytest.skip("this Python has no _ssl in a 64-bit ELF file")
    found = read_dynamic(Path(str(spec.origin)).read_bytes())
    assert found is not None and "_ssl" in found.modules
    assert any(name.startswith("libssl.so") for name in found.needed)
