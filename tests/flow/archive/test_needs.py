from pycomfy.flow.archive.needs import list_needs, list_wheels, need_of_source
from pycomfy.flow.lock.model import (
    ComfyUI,
    GitSource,
    Lock,
    Pack,
    PathSource,
    Platform,
    Root,
    UrlSource,
    Wheel,
    WorkflowPin,
)

TREE = "sha256-" + "A" * 43 + "="
HASH = "ab" * 32


def wheel(name: str) -> Wheel:
    file = f"{name}-1.0-py3-none-any.whl"
    return Wheel(name=name, version="1.0", filename=file, url=f"https://example.org/{file}", sha256=HASH, size=3)


def lock() -> Lock:
    root = Root(suite="bookworm", archives=(), packages=(), tree=TREE)
    git = GitSource(url="https://example.org/x", commit="0" * 40, tree=TREE)
    return Lock(
        name="x",
        as_of="2025-01-01T00:00:00Z",
        workflow=WorkflowPin(sha256=HASH),
        comfyui=ComfyUI(version="1", source=git),
        packs=(
            Pack(name="local", source=PathSource(path="packs/local", tree=TREE)),
            Pack(name="file", source=UrlSource(url="https://example.org/n.py", sha256=HASH, name="n.py")),
        ),
        platforms={
            "linux/amd64": Platform(root=root, wheels=(wheel("a"), wheel("b"))),
            "linux/arm64": Platform(root=root, wheels=(wheel("a"), wheel("c"))),
        },
    )


def test_everything_is_needed_once() -> None:
    names = [need.output.name for need in list_needs(lock())]
    assert sorted(names) == sorted(
        ["ComfyUI", "local", "n.py", "debian-root-amd64", "debian-root-arm64"]
        + [f"{n}-1.0-py3-none-any.whl" for n in "abc"]
    )


def test_another_platform_is_left_out() -> None:
    names = {need.output.name for need in list_needs(lock(), ["linux/amd64"])}
    assert "debian-root-arm64" not in names and "c-1.0-py3-none-any.whl" not in names


def test_trees_are_addressed_by_their_nar_and_files_by_their_bytes() -> None:
    assert need_of_source(lock()).output.recursive and need_of_source(lock(), "local").output.recursive
    assert not need_of_source(lock(), "file").output.recursive
    assert {w.output.recursive for w in list_wheels(lock(), "linux/arm64")} == {False}
