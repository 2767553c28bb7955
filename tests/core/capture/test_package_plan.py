import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.capture.package_plan import InstalledPackage, parse_distribution, plan_packages
from pycomfy.core.lockfile.config import parse_config

COMMIT = "a" * 40


def metadata(name: str, version: str) -> str:
    return f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nRequires-Dist: x\n\nName: not this\n"


def test_a_package_is_read_from_what_its_installer_left() -> None:
    wheel = "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_17_x86_64\nTag: cp311-cp311-manylinux2014_x86_64\n"
    found = parse_distribution(metadata("Foo.Bar", "1.2"), wheel)
    assert found == InstalledPackage("foo-bar", "1.2", tags=("manylinux2014_x86_64", "manylinux_2_17_x86_64"))


@pytest.mark.parametrize("text", ["", "Name: x\n", metadata("-r /etc/passwd", "1"), metadata("x", "1\x1b[31m")])
def test_malformed_metadata_is_no_package(text: str) -> None:
    assert parse_distribution(text) is None


@pytest.mark.parametrize(
    ("direct", "origin", "url"),
    [
        (
            {"url": "https://me:key@h/x.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
            "git",
            f"git+https://h/x.git@{COMMIT}",
        ),
        ({"url": "file:///home/me/x", "dir_info": {"editable": True}}, "editable", "file:///home/me/x"),
        ({"url": "file:///home/me/x", "dir_info": {}}, "folder", "file:///home/me/x"),
        ({"url": "file:///tmp/x.whl", "archive_info": {}}, "file", "file:///tmp/x.whl"),
        ({"url": "https://me:key@h/x.whl", "archive_info": {}}, "url", "https://h/x.whl"),
        ([], "index", ""),
        ({"url": "x", "vcs_info": 5}, "index", ""),
    ],
)
def test_the_source_of_a_package_is_without_logins(direct: object, origin: str, url: str) -> None:
    found = parse_distribution(metadata("x", "1"), "", json.dumps(direct))
    assert found is not None and (found.origin, found.url) == (origin, url)


@given(st.text(), st.text(), st.text())
def test_any_text_is_a_package_or_none(text: str, wheel: str, direct: str) -> None:
    parse_distribution(text, wheel, direct)
    parse_distribution(metadata("x", "1"), wheel, direct)


def test_builds_for_an_accelerator_are_pinned_by_their_version_and_its_name() -> None:
    plan = plan_packages(
        [
            InstalledPackage("torch", "2.9.1+cu128", tags=("manylinux_2_28_x86_64",)),
            InstalledPackage("torchaudio", "2.9.1+cpu"),
            InstalledPackage("numpy", "2.3.5", tags=("manylinux_2_27_x86_64",)),
        ]
    )
    assert (plan.accelerator, plan.platforms) == ("cu128", ("linux/amd64",))
    assert plan.pins == ("numpy==2.3.5", "torch==2.9.1")
    assert len(plan.lost) == 1 and "other packages are for cu128" in plan.lost[0]


def test_packages_that_no_index_has_are_lost_by_name() -> None:
    plan = plan_packages(
        [
            InstalledPackage("a", "1.0+git5"),
            InstalledPackage("b", "1.0", "editable", "file:///b"),
            InstalledPackage("c", "not a version"),
        ]
    )
    assert plan.pins == () and [line.split()[0] for line in plan.lost] == ["a", "b", "c"]


def test_versions_of_another_system_are_used_but_not_required() -> None:
    plan = plan_packages(
        [InstalledPackage("pywin32", "311", tags=("win_amd64",)), InstalledPackage("six", "1.17.0", tags=("any",))]
    )
    assert not plan.required and plan.pins == ("pywin32==311", "six==1.17.0") and plan.platforms == ("linux/amd64",)


@given(
    st.lists(
        st.builds(
            InstalledPackage,
            name=st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True),
            version=st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(rc1|\.post2)?", fullmatch=True),
        ),
        unique_by=lambda p: p.name,
        max_size=8,
    )
)
def test_every_plan_is_a_configuration(packages: list[InstalledPackage]) -> None:
    plan = plan_packages(packages)
    assert not plan.lost
    parse_config(f"overrides = {json.dumps(list(plan.pins))}\n")
    assert plan == plan_packages(packages[::-1])
