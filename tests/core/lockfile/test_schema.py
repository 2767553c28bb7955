import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.schema import (
    ComfyUI,
    DebianPackage,
    DebianPackages,
    Lock,
    Pack,
    Platform,
    Root,
    Wheel,
    WheelBuild,
    WorkflowPin,
    parse_lock,
    render_lock,
)
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.path import PathSource
from pycomfy.core.sources.url import UrlSource
from pycomfy.errors import BadLock, Fix, suggest

TREE = "sha256-" + "A" * 43 + "="
NAMES = ["a", "B", "c-1", "d_2", "Z", "é".encode().hex()]


def lock(shuffle: random.Random | None = None) -> Lock:
    """A lock with several of everything, in the order of `NAMES` or in any other."""

    def order(names: list[str] = NAMES) -> list[str]:
        return shuffle.sample(names, len(names)) if shuffle is not None else names

    packs = [
        Pack(name=n, source=GitSource(url=f"https://x.test/{n}", commit="1" * 40, tree=TREE), types=(n,))
        for n in order()
    ]
    platforms = {}
    for platform in order(["linux/amd64", "linux/arm64"]):
        wheels = [
            Wheel(
                name=n, version="1", filename=f"{n}-1-py3-none-any.whl", url="https://x.test/w", sha256="b" * 64, size=1
            )
            for n in order()
        ]
        debs = [
            DebianPackage(name=n.lower(), version="1", archive=0, path=f"pool/{n}.deb", sha256="c" * 64, size=1)
            for n in order()
        ]
        root = Root(suite="bookworm", archives=("https://x.test/debian/",), packages=tuple(debs), tree=TREE)
        platforms[platform] = Platform(root=root, wheels=tuple(wheels))
    return Lock(
        name="x",
        as_of="2025-12-05T00:00:00Z",
        workflow=WorkflowPin(sha256="a" * 64),
        comfyui=ComfyUI(version="0.3.75", source=PathSource(path="c", tree=TREE)),
        packs=tuple(packs),
        platforms=platforms,  # type: ignore[arg-type]
    )


@given(st.randoms(use_true_random=False))
def test_a_lock_is_the_same_bytes_in_whatever_order_it_was_made(shuffle: random.Random) -> None:
    assert render_lock(lock(shuffle)) == render_lock(lock())


def test_a_lock_is_read_as_it_was_written() -> None:
    text = render_lock(lock())
    assert render_lock(parse_lock(text)) == text and "lfs" not in text and "patch" not in text


def test_large_files_are_mentioned_where_they_are() -> None:
    source = GitSource(url="https://x.test/p", commit="1" * 40, tree=TREE, lfs=True)
    made = lock().model_copy(update={"packs": (Pack(name="p", source=source, types=()),)})
    assert '"lfs": true' in render_lock(made) and parse_lock(render_lock(made)).packs == made.packs


@given(st.permutations(NAMES))
def test_recipes_of_wheels_are_the_same_bytes_in_whatever_order(names: list[str]) -> None:
    def made(order: list[str]) -> Lock:
        plain = lock()
        pins = plain.platforms["linux/amd64"]
        tools = tuple(next(w for w in pins.wheels if w.name == name) for name in order)
        source = UrlSource(url="https://x.test/a", sha256="a" * 64, name="a")
        built = WheelBuild(source=source, requires=tools, compiler=True)
        first = pins.wheels[0].model_copy(update={"built": built})
        debs = tuple(next(p for p in pins.root.packages if p.name == name.lower()) for name in order)
        compilers = pins.root.model_copy(update={"packages": debs})
        changed = pins.model_copy(update={"wheels": (first, *pins.wheels[1:]), "compilers": compilers})
        return plain.model_copy(update={"platforms": {**plain.platforms, "linux/amd64": changed}})

    text = render_lock(made(names))
    assert text == render_lock(made(NAMES)) and render_lock(parse_lock(text)) == text


def test_the_browser_is_no_part_of_the_environment() -> None:
    """The node definitions of an image do not depend on the browser in which its editor was asked."""
    plain = lock()
    pins = plain.platforms["linux/amd64"]
    browser = DebianPackages(suite="bookworm", archives=("https://x.test",), packages=pins.root.packages)
    changed = plain.model_copy(
        update={"platforms": {**plain.platforms, "linux/amd64": pins.model_copy(update={"browser": browser})}}
    )
    assert parse_lock(render_lock(changed)).platforms["linux/amd64"].browser is not None
    assert render_lock(changed) != render_lock(plain)
    assert environment_fingerprint(changed, "linux/amd64", {}) == environment_fingerprint(plain, "linux/amd64", {})


@given(st.permutations(NAMES))
def test_the_gateways_packages_are_the_same_bytes_in_whatever_order_and_a_part_of_the_environment(
    names: list[str],
) -> None:
    plain = lock()
    pins = plain.platforms["linux/amd64"]

    def made(order: list[str]) -> Lock:
        gateway = tuple(next(w for w in pins.wheels if w.name == name) for name in order)
        changed = pins.model_copy(update={"gateway": gateway})
        return plain.model_copy(update={"platforms": {**plain.platforms, "linux/amd64": changed}})

    text = render_lock(made(names))
    assert text == render_lock(made(NAMES)) and render_lock(parse_lock(text)) == text
    assert '"gateway"' not in render_lock(plain)
    fingerprints = {environment_fingerprint(one, "linux/amd64", {}) for one in (plain, made(names), made(NAMES))}
    assert len(fingerprints) == 2


def test_a_lock_of_fetched_wheels_mentions_no_building() -> None:
    text = render_lock(lock())
    assert '"built"' not in text and '"compilers"' not in text and '"browser"' not in text


@pytest.mark.parametrize(
    ("path", "fix"),
    [
        ("", suggest("lock")),
        ("pycomfy.lock", suggest("lock", workflow=".")),
        ("some/folder/pycomfy.lock", suggest("lock", workflow="some/folder")),
        ("/pycomfy.lock", suggest("lock", workflow="/")),
        ("locks/other.lock", suggest("lock", output="locks/other.lock")),
    ],
)
def test_a_malformed_lock_is_described_at_once_and_made_again_where_it_is(path: str, fix: Fix) -> None:
    with pytest.raises(BadLock) as e:
        parse_lock('{"name": 3, "packs": [{"name": "x"}], "version": 1}', path=path)
    assert e.value.fixes == (fix,) and e.value.where == (path or "pycomfy.lock")
    lacks = "the lock lacks as_of, workflow, comfyui, platforms"
    assert e.value.what == f"name: must be a text; {lacks}; packs[0] lacks source"
