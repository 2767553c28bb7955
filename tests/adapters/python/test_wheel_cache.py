"""What was built is found again by what it was made of; damage in the cache is no wheel."""

import shutil
from dataclasses import replace
from pathlib import Path

from pycomfy.adapters.python.wheel_cache import BuildHints, WheelCache
from pycomfy.core.lockfile.schema import DebianPackage, Root, WheelBuild
from pycomfy.core.python.build_recipe import BuildRecipe, SourcePackage
from pycomfy.core.sources.url import UrlSource

SOURCE = UrlSource(url="https://h/x-1.tar.gz", sha256="a" * 64, name="x-1.tar.gz")
ROOT = Root(suite="bookworm", archives=(), packages=(), tree="sha256-" + "A" * 43 + "=")
RECIPE = BuildRecipe("x", "1", "linux/amd64", "3.11", WheelBuild(source=SOURCE), ROOT)
UNBUILT = SourcePackage("x", "1", SOURCE, ("setuptools",))


def test_a_wheel_is_found_by_its_recipe(tmp_path: Path) -> None:
    known = WheelCache(tmp_path / "cache")
    assert known.find(RECIPE) is None
    (tmp_path / "x-1.0-py3-none-any.whl").write_bytes(b"wheel")
    made = known.keep(RECIPE, tmp_path / "x-1.0-py3-none-any.whl", fallback=True)
    assert (made.wheel.name, made.wheel.version, made.wheel.size, made.wheel.url) == ("x", "1.0", 5, SOURCE.url)
    assert known.find(RECIPE) == made and made.wheel.built == RECIPE.build
    other = BuildRecipe("x", "1", "linux/arm64", "3.11", WheelBuild(source=SOURCE), ROOT)
    assert known.find(other) is None


def test_more_debian_packages_build_no_wheel_again_that_has_nothing_compiled(tmp_path: Path) -> None:
    def root(*packages: tuple[str, str]) -> Root:
        listed = tuple(
            DebianPackage(name=n, version="1", archive=0, path=f"{n}.deb", sha256=h * 64, size=1) for n, h in packages
        )
        tree = f"sha256-{''.join(h for _, h in packages):A<43}="
        return Root(suite="bookworm", archives=("https://h",), packages=listed, tree=tree)

    known = WheelCache(tmp_path / "cache")
    before = replace(RECIPE, root=root(("python3.11", "a")))
    more = replace(RECIPE, root=root(("python3.11", "a"), ("ffmpeg", "b")))
    for name in ("x-1.0-py3-none-any.whl", "x-1.0-cp311-cp311-linux_x86_64.whl"):
        (tmp_path / name).write_bytes(b"wheel")
        made = known.keep(before, tmp_path / name)
        found = known.find(more)
        assert (found == made) is name.endswith("any.whl")
        assert known.find(replace(RECIPE, root=root(("python3.11", "c")))) is None
        shutil.rmtree(tmp_path / "cache")


def test_damage_is_as_if_nothing_was_built(tmp_path: Path) -> None:
    known = WheelCache(tmp_path / "cache")
    (tmp_path / "x-1.0-py3-none-any.whl").write_bytes(b"wheel")
    made = known.keep(RECIPE, tmp_path / "x-1.0-py3-none-any.whl")
    memos = list((tmp_path / "cache" / "wheels").iterdir())
    text = memos[0].read_text()
    for damaged in ("", "[]", "{}", text.replace("x-1.0", "../x"), text.replace(": 5", ': "five"'), text[:-9]):
        for memo in memos:
            memo.write_text(damaged)
        assert known.find(RECIPE) is None, damaged
    memos[0].write_text(text)
    assert known.find(RECIPE) == made
    made.file.chmod(0o644)
    made.file.write_bytes(b"less")
    assert known.find(RECIPE) is None


def test_hints_are_of_a_source_and_a_python(tmp_path: Path) -> None:
    known, hints = WheelCache(tmp_path), BuildHints(("numpy",), compiler=True)
    known.write_hints(UNBUILT, "3.11", hints)
    assert known.read_hints(UNBUILT, "3.11") == hints and known.read_hints(UNBUILT, "3.13") == BuildHints()
    (place,) = (tmp_path / "wheels").iterdir()
    place.write_text('{"requires": 3}')
    assert known.read_hints(UNBUILT, "3.11") == BuildHints()
