"""Names of files on an index that is hostile."""

from pycomfy.core.python.index_files import IndexFile, describe_available
from pycomfy.core.python.wheel_selection import Target


def test_names_that_mean_nothing_or_too_much_are_passed_over() -> None:
    """Many tags in one name filled the memory."""
    many = ".".join(f"t{i}" for i in range(500))
    names = ["demo-1.0-py3\N{ARABIC-INDIC DIGIT THREE}-none-any.whl", f"demo-1.0-{many}-{many}-{many}.whl"]
    found = describe_available("demo", "", [IndexFile(name) for name in names], Target("linux/amd64", "3.11"))
    assert found.text == "its wheels are for other interpreters" and not found.usable


def test_a_number_of_thousands_of_digits_is_a_limit_that_nobody_can_read() -> None:
    """Python refuses to convert one, and `packaging` passes that on as it is."""
    files = [IndexFile("demo-1.0-py3-none-any.whl", f">={'9' * 5000}"), IndexFile(f"demo-{'9' * 5000}.tar.gz")]
    found = describe_available("demo", f">={'9' * 5000}", files, Target("linux/amd64", "3.11"))
    assert [str(version) for version in found.usable] == ["1.0"]
