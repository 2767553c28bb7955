"""What a build's log tells, what a recipe is known by, and what uv's answer becomes."""

import io
import zipfile

import pytest

from pycomfy.core.lockfile.schema import Root, Wheel, WheelBuild
from pycomfy.core.python.build_recipe import (
    BuildRecipe,
    SourcePackage,
    is_universal,
    make_placeholder_wheel,
    needs_compiler,
    parse_build_requirements,
    source_name,
    with_built_wheels,
)
from pycomfy.core.python.wheel_selection import choose_wheels
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.url import UrlSource

SOURCE = UrlSource(url="https://h/x-1.tar.gz", sha256="a" * 64, name="x-1.tar.gz")
TREE = "sha256-" + "A" * 43 + "="
ROOT = Root(suite="bookworm", archives=(), packages=(), tree=TREE)


def wheel(name: str = "x", version: str = "1", tag: str = "py3-none-any") -> Wheel:
    return Wheel(
        name=name,
        version=version,
        filename=f"{name}-{version}-{tag}.whl",
        url="https://h/x",
        sha256="b" * 64,
        size=1,
        built=WheelBuild(source=SOURCE),
    )


def test_a_build_that_asks_for_packages_gets_those_of_the_index() -> None:
    assert parse_build_requirements(["", 'pycomfy needs: ["numpy>=1", "x[y]"]']) == ("numpy>=1", "x[y]")
    assert parse_build_requirements(['pycomfy needs: ["x @ https://h/x.whl"]']) == ()
    for line in ("pycomfy needs: [", 'pycomfy needs: ["not a requirement"]', ' pycomfy needs: ["x"]', "numpy"):
        assert parse_build_requirements([line]) == ()


@pytest.mark.parametrize(
    "line",
    [
        "error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory",
        "error: command 'x86_64-linux-gnu-g++' failed: No such file or directory",
        "unable to execute 'gcc': No such file or directory",
        "FileNotFoundError: [Errno 2] No such file or directory: 'gcc'",
        "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]",
        "  No CMAKE_CXX_COMPILER could be found.",
        "configure: error: no acceptable C compiler found in $PATH",
        "x.c:1:10: fatal error: Python.h: No such file or directory",
        "/bin/sh: 1: make: not found",
    ],
)
def test_a_missing_compiler_is_seen(line: str) -> None:
    assert needs_compiler(["fine", line])


@pytest.mark.parametrize(
    "line",
    [
        "ModuleNotFoundError: No module named 'gcc'",
        "error: command '/usr/bin/gcc' failed with exit code 1",
        "",
        "accept",
    ],
)
def test_other_failures_are_no_missing_compiler(line: str) -> None:
    assert not needs_compiler([line])


def test_a_recipe_is_known_by_what_goes_into_it_not_by_where_that_came_from() -> None:
    def key(**changes: object) -> str:
        built = WheelBuild(source=SOURCE, requires=(wheel("tool"), wheel("other"))).model_copy(update=changes)
        return BuildRecipe("x", "1", "linux/amd64", "3.11", built, ROOT).key("programs")

    same = key()
    assert key(source=SOURCE.model_copy(update={"url": "https://mirror/x"})) == same
    assert key(requires=(wheel("other"), wheel("tool"))) == same
    others = [key(requires=()), key(source=SOURCE.model_copy(update={"sha256": "c" * 64})), key(subdirectory="y")]
    git = GitSource(url="https://h/x", commit="1" * 40, tree=TREE)
    others.append(key(source=git))
    assert len({same, *others}) == 5
    assert source_name(git) == "source-111111111111" and source_name(SOURCE) == "x-1.tar.gz"
    assert SourcePackage("x", "1", SOURCE, ()).key() != SourcePackage("x", "1", git, ()).key()


def test_a_placeholder_is_a_wheel_that_requires_nothing() -> None:
    filename, data = make_placeholder_wheel("a-b", "1.0+x", ">=3.8")
    assert filename == "a_b-1.0+x-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        text = z.read("a_b-1.0+x.dist-info/METADATA").decode()
    assert "Requires-Python: >=3.8" in text and "Requires-Dist" not in text
    with zipfile.ZipFile(io.BytesIO(make_placeholder_wheel("a", "1", ">=3\nRequires-Dist: evil")[1])) as z:
        assert b"evil" not in z.read("a-1.dist-info/METADATA")


def test_uv_s_answer_names_no_path_of_this_machine_for_what_was_built() -> None:
    made = wheel("x", "1")
    pylock = {
        "packages": [
            {"name": "X", "version": "1", "archive": {"path": "given/x.whl", "hashes": {"sha256": "b" * 64}}},
            {"name": "x", "version": "2", "wheels": []},
            {"name": "y", "version": "1", "wheels": [{"url": "https://h/y-1-py3-none-any.whl"}]},
        ]
    }
    packages = with_built_wheels(pylock, {"x": made})["packages"]
    assert packages[1:] == pylock["packages"][1:]
    (chosen,) = choose_wheels({"packages": packages[:1]}, "linux/amd64", "3.11")
    assert chosen == made.model_copy(update={"built": None})


def test_only_a_wheel_without_tags_is_for_every_platform() -> None:
    assert is_universal(wheel()) and not is_universal(wheel(tag="cp311-cp311-linux_x86_64"))
