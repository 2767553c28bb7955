import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.debian.base_packages import base_packages
from pycomfy.core.lockfile.alternatives import ALL, ALTERNATIVES
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.python.alternatives import (
    TargetContext,
    describe_selection,
    find_alternatives,
    replace_alternatives,
    select_alternatives,
)
from pycomfy.core.python.requirements import make_requirement_set
from pycomfy.core.python.wheel_selection import Target
from pycomfy.errors import BadConfig

IMAGE = TargetContext(frozenset(base_packages("3.11")))
BARE = TargetContext(frozenset())
LINUX = Target("linux/amd64", "3.11").environment()


def kept(*installed: str, around: TargetContext = IMAGE, chosen: dict[str, str] | None = None) -> list[str]:
    return [one.name for one in select_alternatives(installed, around, chosen)]


@pytest.mark.parametrize(
    ("installed", "with_libgl", "without"),
    [
        ("opencv-python opencv-python-headless", "opencv-python", "opencv-python-headless"),
        ("opencv-python opencv-contrib-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
        ("opencv-python opencv-contrib-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
        ("opencv-python-headless opencv-contrib-python-headless", *["opencv-contrib-python-headless"] * 2),
    ],
)
def test_of_opencv_the_one_is_kept_that_has_all_and_loads(installed: str, with_libgl: str, without: str) -> None:
    assert kept(*installed.split()) == [with_libgl]
    assert kept(*installed.split(), around=BARE) == [without]


@pytest.mark.parametrize(
    ("accelerator", "name"),
    [(None, "onnxruntime-gpu"), ("cu128", "onnxruntime-gpu"), ("cpu", "onnxruntime"), ("rocm6.4", "onnxruntime-rocm")],
)
def test_of_onnxruntime_the_one_for_the_accelerator_is_kept(accelerator: str | None, name: str) -> None:
    around = TargetContext(frozenset(), accelerator)
    assert kept("onnxruntime", "onnxruntime-gpu", "onnxruntime-rocm", around=around) == [name]


def test_one_of_several_alternatives_alone_is_left_alone() -> None:
    assert kept("opencv-python-headless", "onnxruntime", "numpy") == []


def test_the_user_may_choose_another_or_all() -> None:
    both = ("opencv-python", "opencv-python-headless")
    assert kept(*both, chosen={"opencv": "OpenCV_Python.headless"}) == ["opencv-python-headless"]
    assert kept(*both, chosen={"opencv": ALL}) == []
    assert kept("opencv-python", chosen={"opencv": "opencv-python-headless"}) == ["opencv-python-headless"]
    assert parse_config('[families]\nopencv = "opencv-python-headless"\n').alternatives
    for wrong in ('opencv = "numpy"', 'numpy = "all"'):
        with pytest.raises(BadConfig, match="alternative"):
            parse_config(f"[families]\n{wrong}\n")


def test_what_is_asked_of_a_dropped_one_holds_for_the_kept_one() -> None:
    (one,) = select_alternatives(["opencv-python", "opencv-contrib-python"], IMAGE)
    asked = make_requirement_set(
        "a", ["opencv-python<4.9; sys_platform == 'linux'", "opencv-python==1; sys_platform == 'win32'"], "r"
    )
    (changed,) = replace_alternatives([asked], [one], LINUX)
    assert changed.requirements[0].text == 'opencv-contrib-python<4.9; sys_platform == "linux"'
    assert "for opencv-python<4.9" in changed.requirements[0].where and changed.requirements[1] == asked.requirements[1]
    assert "only opencv-contrib-python is kept" in describe_selection(
        one
    ) and '[families] opencv = "' in describe_selection(one)


def test_a_package_that_is_missing_has_a_sibling() -> None:
    assert find_alternatives("onnxruntime-gpu") == ("onnxruntime", "onnxruntime")
    assert find_alternatives("opencv-python") == ("opencv", "opencv-python-headless")
    assert find_alternatives("numpy") is None


names = st.sampled_from(
    [member.name for alternatives in ALTERNATIVES for member in alternatives.members] + ["numpy", "torch"]
)
places = st.builds(
    TargetContext,
    st.sampled_from([frozenset(), frozenset({"libgl1"})]),
    st.sampled_from([None, "cpu", "cu128", "rocm6.4", "xpu"]),
)


@given(st.sets(names), places)
def test_of_alternatives_one_is_left_that_the_image_can_load_if_any_can(
    installed: set[str], around: TargetContext
) -> None:
    found = select_alternatives(installed, around)
    left = installed.difference(*(one.dropped for one in found)) | {one.name for one in found}
    for alternatives in ALTERNATIVES:
        there = [m for m in alternatives.members if m.name in installed]
        now = [m for m in alternatives.members if m.name in left]
        assert len(now) == min(1, len(there))
        if any(m.debian_packages <= around.debian_packages for m in there):
            assert now[0].debian_packages <= around.debian_packages
    assert select_alternatives(left, around) == ()
    assert all(set(one.dropped) <= installed and one.name not in one.dropped for one in found)


@given(st.lists(names, unique=True), places, st.randoms())
def test_what_is_kept_does_not_depend_on_order(installed: list[str], around: TargetContext, random: object) -> None:
    shuffled = list(installed)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert select_alternatives(installed, around) == select_alternatives(shuffled, around)


def test_no_package_is_among_two_alternatives() -> None:
    every = [member.name for alternatives in ALTERNATIVES for member in alternatives.members]
    assert len(every) == len(set(every))
