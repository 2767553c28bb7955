import pytest

from pycomfy.core.python.wheel_clashes import Clash, WheelFile, is_stray, settle_clashes


def file(place: str, crc: int = 1, executable: bool = False) -> WheelFile:
    return WheelFile(f"in/{place}", place, crc, 10, executable)


@pytest.mark.parametrize(
    ("place", "stray"),
    [
        ("tests/__init__.py", True),
        ("tests/a/b.py", True),
        ("docs/conf.py", True),
        ("examples/x.py", True),
        ("README.md", True),
        ("LICENSE", True),
        ("cv2/__init__.py", False),
        ("cv2/tests/__init__.py", False),
        ("tests.py", False),
        ("utils/__init__.py", False),
        ("../../../bin/x", False),
    ],
)
def test_strays_are_what_packages_install_by_mistake(place: str, stray: bool) -> None:
    assert is_stray(place) is stray


def test_equal_files_do_not_clash_and_strays_are_settled_for_the_first_by_name() -> None:
    files = {
        "b": [file("tests/x.py", 2), file("ns/__init__.py"), file("README")],
        "a": [file("tests/x.py", 1), file("ns/__init__.py"), file("README")],
        "c": [file("tests/x.py", 1)],
    }
    settled = settle_clashes(files, ())
    assert settled.excludes == {"b": ("in/tests/x.py",)}
    assert settled.clashes == (Clash("tests/x.py", ("a", "b", "c"), True),) and settled.open == ()


def test_other_clashes_are_open_until_a_wheel_is_preferred() -> None:
    files = {"a": [file("cv2/x.py", 1)], "b": [file("cv2/x.py", 1, executable=True)], "c": [file("cv2/x.py", 3)]}
    assert settle_clashes(files, ()).open == (Clash("cv2/x.py", ("a", "b", "c"), False),)
    settled = settle_clashes(files, ("z", "c", "a"))
    assert settled.open == settled.clashes == ()
    assert settled.excludes == {"a": ("in/cv2/x.py",), "b": ("in/cv2/x.py",)}
