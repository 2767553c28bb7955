import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.nix.narinfo import NarInfo, parse_narinfo
from pycomfy.core.nix.store_path import FixedOutput

hashes = st.binary(min_size=32, max_size=32)
infos = st.builds(
    NarInfo,
    st.builds(FixedOutput, st.from_regex(r"[a-z][a-z0-9.+_-]{0,50}", fullmatch=True), hashes, st.booleans()),
    hashes,
    st.integers(0, 10**15),
)


@given(infos)
def test_what_is_written_is_read(info: NarInfo) -> None:
    assert parse_narinfo(info.render(), info.output) == info


@given(infos, st.data())
def test_any_other_byte_is_refused(info: NarInfo, data: st.DataObject) -> None:
    """A hash, unlike the rest, may be another one's; then the NAR that it names is not there."""
    text = bytearray(info.render())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError):
        parse_narinfo(bytes(text), info.output)


@given(infos, st.binary(max_size=300))
def test_garbage_is_refused(info: NarInfo, data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_narinfo(data, info.output)
