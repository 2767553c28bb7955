import pytest

from pycomfy.core.sizes import parse_size
from pycomfy.errors import BadInput


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("5", 5), ("12G", 12 << 30), ("1.5g", 3 << 29), ("512 MiB", 512 << 20), ("2kb", 2048), ("7B", 7)],
)
def test_a_size_is_read_as_people_write_it(text: str, size: int) -> None:
    assert parse_size(text, "memory") == size


@pytest.mark.parametrize("text", ["", "-1", "much", "1e9", "inf", "nan", "9" * 400, "1,5G", "1GG", "١"])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_size(text, "memory")
    assert caught.value.where == "memory"
