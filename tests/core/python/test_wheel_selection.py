import contextlib
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.python.wheel_selection import Target, choose_wheels, rank_tags, undated_wheels
from pycomfy.errors import ErrorGroup, NoMatchingDistribution

HASH = "0" * 64


def wheel(name: str, /, **more: Any) -> dict[str, Any]:
    return {"url": f"https://index.example/{name}", "size": 5, "hashes": {"sha256": HASH}, **more}


def package(*names: str, **more: Any) -> dict[str, Any]:
    name, version = (names or ("x-1.0-",))[0].split("-")[:2]
    return {"name": name, "version": version, "wheels": [wheel(n) for n in names], **more}


def chosen(*packages: dict[str, Any], platform: PlatformName = "linux/amd64", python: str = "3.11") -> list[str]:
    return [w.filename for w in choose_wheels({"packages": list(packages)}, platform, python)]


def test_the_most_specific_tag_wins() -> None:
    names = [
        "x-1.0-py3-none-any.whl",
        "x-1.0-cp311-abi3-manylinux_2_28_x86_64.whl",
        "x-1.0-cp39-abi3-manylinux_2_28_x86_64.whl",
        "x-1.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "x-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    ]
    for best in reversed(range(len(names))):
        order = [0, 2, 1, 3, 4][: best + 1]
        assert chosen(package(*(names[i] for i in order))) == [names[order[-1]]]


@pytest.mark.parametrize(("lower", "higher"), [("2", "10"), ("8", "9")])
def test_a_higher_build_number_wins(lower: str, higher: str) -> None:
    names = [f"x-1.0-{build}-py3-none-any.whl" for build in (lower, higher)]
    assert chosen(package(*names)) == chosen(package(*reversed(names))) == [names[1]]


@pytest.mark.parametrize(
    ("name", "platform", "python", "fits"),
    [
        ("x-1.0-cp311-cp311-manylinux_2_36_x86_64.whl", "linux/amd64", "3.11", True),
        ("x-1.0-cp311-cp311-manylinux_2_37_x86_64.whl", "linux/amd64", "3.11", False),
        ("x-1.0-cp313-cp313-manylinux_2_41_aarch64.whl", "linux/arm64", "3.13", True),
        ("x-1.0-cp313-cp313t-manylinux_2_41_aarch64.whl", "linux/arm64", "3.13", False),
        ("x-1.0-cp311-cp311-manylinux1_x86_64.whl", "linux/amd64", "3.11", True),
        ("x-1.0-cp311-cp311-manylinux2010_aarch64.whl", "linux/arm64", "3.11", False),
        ("x-1.0-cp311-cp311-musllinux_1_1_x86_64.whl", "linux/amd64", "3.11", False),
        ("x-1.0-cp311-cp311-win_amd64.whl", "linux/amd64", "3.11", False),
        ("x-1.0-cp310-cp310-manylinux_2_17_x86_64.whl", "linux/amd64", "3.11", False),
        ("x-1.0-cp38-abi3-manylinux_2_17_x86_64.whl", "linux/amd64", "3.13", True),
        ("x-1.0-py2.py3-none-any.whl", "linux/arm64", "3.13", True),
    ],
)
def test_a_wheel_fits_by_python_glibc_and_machine(name: str, platform: PlatformName, python: str, fits: bool) -> None:
    if fits:
        assert chosen(package(name), platform=platform, python=python) == [name]
    else:
        with pytest.raises(NoMatchingDistribution):
            chosen(package(name), platform=platform, python=python)


files = st.sampled_from(
    [
        f"{{}}-1.0-{tag}.whl"
        for tag in (
            "py3-none-any",
            "2-py3-none-any",
            "cp311-cp311-manylinux_2_17_x86_64",
            "cp311-cp311-manylinux_2_28_x86_64",
            "cp311-abi3-manylinux_2_28_x86_64",
            "cp39-abi3-manylinux_2_28_x86_64.manylinux_2_17_x86_64",
            "cp311-cp311-win_amd64",
        )
    ]
)


@given(st.lists(st.lists(files, min_size=1, max_size=5), max_size=4), st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_order(packages: list[list[str]], shuffle: random.Random) -> None:
    pylock = [package(*(f.format(f"p{i}") for f in fs), f"p{i}-1.0-py3-none-any.whl") for i, fs in enumerate(packages)]
    for i, one in enumerate(pylock):
        one["name"] = f"p{i}"
    first = choose_wheels({"packages": pylock}, "linux/amd64", "3.11")
    shuffle.shuffle(pylock)
    for one in pylock:
        shuffle.shuffle(one["wheels"])
    assert choose_wheels({"packages": pylock}, "linux/amd64", "3.11") == first


def test_every_package_without_a_wheel_is_told_with_what_there_is() -> None:
    with pytest.raises(ErrorGroup) as e:
        chosen(
            package("a-1.0-cp311-cp311-win_amd64.whl", sdist={"url": "x"}),
            {"name": "b", "version": "2", "sdist": {"url": "x"}},
            package("c-1.0-py3-none-any.whl"),
        )
    told = [p.what for p in e.value.problems]
    assert "a 1.0" in told[0] and "win_amd64" in told[0] and "sdist" in told[0]
    assert "b 2" in told[1] and "sdist" in told[1]
    assert all(isinstance(p, NoMatchingDistribution) and p.fix for p in e.value.problems)


def test_a_wheel_without_a_sha256_is_none() -> None:
    with pytest.raises(NoMatchingDistribution):
        chosen({"name": "x", "version": "1", "wheels": [wheel("x-1.0-py3-none-any.whl", hashes={"md5": "0"})]})


def test_packages_for_elsewhere_are_left_out() -> None:
    assert chosen(package("x-1.0-py3-none-any.whl", marker="sys_platform == 'win32'")) == []
    arm = package("x-1.0-py3-none-any.whl", marker="platform_machine == 'aarch64' and python_version >= '3.13'")
    assert chosen(arm) == []
    assert chosen(package("x-1.0-py3-none-any.whl", marker="'cli' in extras")) == [], (
        "of an extra that nobody asked for"
    )
    assert chosen(arm, platform="linux/arm64", python="3.13") == ["x-1.0-py3-none-any.whl"]


def test_the_name_is_unquoted_and_the_password_is_dropped() -> None:
    url = "https://me:secret@index.example/torch-2.9.1%2Bcu128-cp311-cp311-manylinux_2_28_x86_64.whl#sha256=0"
    entry = {"url": url, "hashes": {"sha256": HASH.upper()}}
    (found,) = choose_wheels({"packages": [{"name": "Torch", "wheels": [entry]}]}, "linux/amd64", "3.11")
    assert found.filename == "torch-2.9.1+cu128-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert (found.name, found.version, found.size) == ("torch", "2.9.1+cu128", 0)
    assert "secret" not in found.url


def test_one_package_in_two_versions_is_refused() -> None:
    with pytest.raises(NoMatchingDistribution, match=r"1\.0 and 2\.0"):
        chosen(package("x-1.0-py3-none-any.whl"), package("x-2.0-py3-none-any.whl"))


@given(st.text(max_size=60))
def test_any_file_name_is_a_wheel_or_left_out(name: str) -> None:
    with contextlib.suppress(NoMatchingDistribution):
        chosen({"name": "x", "wheels": [wheel("x", name=name)]})


def test_tags_are_those_of_a_debian_python() -> None:
    ranks = rank_tags(Target("linux/arm64", "3.13"))
    first = next(iter(ranks))
    assert str(first) == "cp313-cp313-manylinux_2_41_aarch64"


PLATFORMS: tuple[tuple[PlatformName, str, str, list[str], int], ...] = (
    ("linux/amd64", "3.11", "x86_64", ["manylinux2014", "manylinux2010", "manylinux1"], 36),
    ("linux/arm64", "3.11", "aarch64", ["manylinux2014"], 36),
    ("linux/amd64", "3.13", "x86_64", ["manylinux2014", "manylinux2010", "manylinux1"], 41),
)


@pytest.mark.parametrize(("platform", "python", "machine", "old", "glibc"), PLATFORMS)
def test_the_tags_are_those_of_every_glibc_down_to_the_oldest_each_before_its_old_name(
    platform: PlatformName, python: str, machine: str, old: list[str], glibc: int
) -> None:
    ranks = rank_tags(Target(platform, python))
    best = f"cp{python.replace('.', '')}"
    found = [tag.platform for tag in ranks if (tag.interpreter, tag.abi) == (best, best)]
    named = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    expected = []
    for minor in range(glibc, (5 if machine == "x86_64" else 17) - 1, -1):
        expected.append(f"manylinux_2_{minor}_{machine}")
        if named.get(minor) in old:
            expected.append(f"{named[minor]}_{machine}")
    assert found == [*expected, f"linux_{machine}"]
    assert [*ranks.values()] == [*range(len(ranks))]


def test_markers_are_evaluated_for_the_python_of_the_debian_suite() -> None:
    assert Target("linux/arm64", "3.13").environment() == {
        "implementation_name": "cpython",
        "implementation_version": "3.13.5",
        "os_name": "posix",
        "platform_machine": "aarch64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": "3.13.5",
        "python_version": "3.13",
        "sys_platform": "linux",
        "extra": "",
    }
    assert Target("linux/amd64", "3.11").python_full == "3.11.2"


def test_uv_resolves_for_the_newest_glibc_that_it_and_the_suite_have() -> None:
    assert Target("linux/amd64", "3.11").uv_platform == "x86_64-manylinux_2_36"
    assert Target("linux/arm64", "3.13").uv_platform == "aarch64-manylinux_2_40"


@pytest.mark.parametrize(
    "marker",
    [
        "not a marker",
        "os_name ~= 'posix' and",
        "python_version ~= 'x'",
        "no_name == 'x'",
        "python_version < '" + "9" * 5000 + "'",
    ],
)
def test_a_package_with_a_marker_that_cannot_be_read_is_kept(marker: str) -> None:
    assert chosen(package("x-1.0-py3-none-any.whl", marker=marker)) == ["x-1.0-py3-none-any.whl"]


def test_what_comes_after_a_package_for_elsewhere_or_a_wheel_of_another_name_is_looked_at() -> None:
    elsewhere = package("a-1.0-py3-none-any.whl", marker="sys_platform == 'win32'")
    assert chosen(elsewhere, package("x-1.0-py3-none-any.whl")) == ["x-1.0-py3-none-any.whl"]
    mixed = package("x-1.0-py3-none-any.whl")
    for other in ("y-1.0-py3-none-any.whl", "x-1.0-cp311-cp311-win_amd64.whl"):
        assert chosen({**mixed, "wheels": [wheel(other), *mixed["wheels"]]}) == ["x-1.0-py3-none-any.whl"]


def test_a_package_that_is_listed_twice_with_the_same_wheel_is_one() -> None:
    assert chosen(package("x-1.0-py3-none-any.whl"), package("x-1.0-py3-none-any.whl")) == ["x-1.0-py3-none-any.whl"]


def test_the_best_of_a_wheel_s_own_tags_counts() -> None:
    both, one = (
        "x-1.0-cp311-cp311-manylinux_2_36_x86_64.manylinux_2_5_x86_64.whl",
        "x-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
    )
    assert chosen(package(one, both)) == [both]


def test_the_name_beside_the_url_goes_before_the_url_s() -> None:
    entry = wheel("download?file=1", name="x-1.0-py3-none-any.whl")
    assert chosen({"name": "x", "version": "1.0", "wheels": [entry]}) == ["x-1.0-py3-none-any.whl"]


def test_the_size_is_that_of_the_index() -> None:
    (found,) = choose_wheels({"packages": [package("x-1.0-py3-none-any.whl")]}, "linux/amd64", "3.11")
    assert found.size == 5


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "http://[", "hashes": {"sha256": HASH}},
        {"hashes": {"sha256": HASH}},
        {"url": "https://i.test/x-1.0-py3-none-any.whl"},
        {"url": "https://i.test/x-1.0-py3-none-any.whl", "hashes": None},
        {"url": "https://i.test/x-1.0-py3-none-any.whl", "hashes": {"sha256": "short"}},
        {"url": "https://i.test/x-1.0.tar.gz", "hashes": {"sha256": HASH}},
    ],
)
def test_an_entry_that_is_no_wheel_or_cannot_be_checked_is_passed_over(entry: dict[str, Any]) -> None:
    good = wheel("x-1.0-py3-none-any.whl")
    assert chosen({"name": "x", "version": "1", "wheels": [entry, good]}) == ["x-1.0-py3-none-any.whl"]


def test_a_url_without_folders_names_its_file() -> None:
    entry = {**wheel(""), "url": "x-1.0-py3-none-any.whl"}
    assert chosen({"name": "x", "version": "1", "wheels": [entry]}) == ["x-1.0-py3-none-any.whl"]


@pytest.mark.parametrize(
    ("package", "there"),
    [
        ({"sdist": {"url": "x"}}, "its sdist, which would have to be built"),
        ({"vcs": {}}, "a source tree, which would have to be built"),
        ({"directory": {}}, "a source tree, which would have to be built"),
        ({"archive": {}}, "a source tree, which would have to be built"),
        (
            {"sdist": {}, "archive": {}},
            "its sdist, which would have to be built and a source tree, which would have to be built",
        ),
        ({"wheels": [{}, {"name": "x"}]}, "nothing else"),
        ({}, "nothing else"),
        (
            {"wheels": [wheel(f"x-{n}-{t}-{t}-win32.whl") for n, t in ((1, "cp39"), (2, "cp39"), (1, "cp38"))]},
            "wheels for cp38-win32, cp39-win32",
        ),
    ],
)
def test_what_a_package_has_in_place_of_a_wheel_is_told(package: dict[str, Any], there: str) -> None:
    with pytest.raises(NoMatchingDistribution) as raised:
        chosen({"name": "x", **package})
    assert raised.value.what == f"x ? has no wheel for linux/amd64; there is {there}"


def test_packages_without_wheels_are_told_by_name_whatever_their_order() -> None:
    with pytest.raises(ErrorGroup) as raised:
        chosen({"name": "b", "version": "1"}, {"name": "a", "version": "1"})
    assert [problem.what[:3] for problem in raised.value.problems] == ["a 1", "b 1"]


def test_wheels_without_an_upload_time_are_found_by_their_url_without_the_password() -> None:
    secret = {**wheel("a-1.0-py3-none-any.whl"), "url": "https://me:secret@index.example/a-1.0-py3-none-any.whl"}
    pylock = {
        "packages": [
            {"name": "a", "wheels": [{**secret, "upload-time": "2026-01-01"}]},
            {"name": "b", "wheels": [wheel("b-1.0-py3-none-any.whl")]},
            {"name": "c", "wheels": [{**wheel("c-1.0-py3-none-any.whl"), "upload-time": "2026-01-01"}]},
            {"name": "d", "marker": "sys_platform == 'win32'"},
        ]
    }
    wheels = choose_wheels(pylock, "linux/amd64", "3.11")
    assert [w.name for w in undated_wheels(pylock, wheels)] == ["b"]
    assert undated_wheels({}, ()) == [] and choose_wheels({}, "linux/amd64", "3.11") == ()


def test_two_versions_of_a_package_are_told_without_one_where_the_lock_gives_none() -> None:
    first, second = package("x-1.0-py3-none-any.whl"), {"name": "x", "wheels": [wheel("x-2.0-py3-none-any.whl")]}
    with pytest.raises(NoMatchingDistribution, match=r"in two versions: 1\.0 and \?"):
        chosen(first, second)


def test_a_wheel_of_another_name_is_not_taken() -> None:
    with pytest.raises(NoMatchingDistribution):
        choose_wheels({"packages": [{**package("y-1.0-py3-none-any.whl"), "name": "x"}]}, "linux/amd64", "3.11")


@pytest.mark.parametrize("order", [1, -1])
def test_a_wheel_on_disk_is_preferred_unless_the_same_can_be_fetched(order: int) -> None:
    def pick(there: str, here: str) -> str:
        (near,) = package("x-1.0-py3-none-any.whl")["wheels"]
        near = {**near, "url": "file:///wheels/x-1.0-py3-none-any.whl", "hashes": {"sha256": here * 64}}
        far = {**near, "url": "https://i.test/x-1.0-py3-none-any.whl", "hashes": {"sha256": there * 64}}
        wheels = [near, far][::order]
        (chosen,) = choose_wheels({"packages": [{"name": "x", "wheels": wheels}]}, "linux/amd64", "3.11")
        return chosen.url.partition(":")[0]

    assert pick("a", "a") == "https" and pick("a", "b") == "file"
