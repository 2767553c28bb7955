from pycomfy.core.lockfile.schema import ComfyUI, Lock, Pack, Platform, Root, Wheel, WheelBuild, WorkflowPin
from pycomfy.core.nix.lock_outputs import (
    filter_required,
    list_requisites,
    package_requisites,
    source_requisite,
    wheel_requisites,
)
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.path import PathSource
from pycomfy.core.sources.url import UrlSource

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
    names = [need.output.name for need in list_requisites(lock())]
    assert sorted(names) == sorted(
        ["ComfyUI", "local", "n.py", "debian-root-amd64", "debian-root-arm64"]
        + [f"{n}-1.0-py3-none-any.whl" for n in "abc"]
    )


def test_another_platform_is_left_out() -> None:
    names = {need.output.name for need in list_requisites(lock(), ["linux/amd64"])}
    assert "debian-root-arm64" not in names and "c-1.0-py3-none-any.whl" not in names


def test_trees_are_addressed_by_their_nar_and_files_by_their_bytes() -> None:
    assert source_requisite(lock()).output.recursive and source_requisite(lock(), "local").output.recursive
    assert not source_requisite(lock(), "file").output.recursive
    assert {w.output.recursive for w in wheel_requisites(lock(), "linux/arm64")} == {False}


def test_the_gateways_wheels_are_needed_too_a_file_that_the_workflow_has_once() -> None:
    plain = lock()
    pins = plain.platforms["linux/amd64"].model_copy(update={"gateway": (wheel("a"), wheel("g"))})
    made = plain.model_copy(update={"platforms": {"linux/amd64": pins}})
    titles = [need.title for need in list_requisites(made) if need.role == "wheel"]
    assert titles == ["a 1.0", "b 1.0", "g 1.0, of the gateway"]
    assert [need.title for need in package_requisites(made, "linux/amd64")] == ["a 1.0", "b 1.0"]
    assert [w.name for w in pins.every_wheel] == ["a", "b", "a", "g"]
    assert len(wheel_requisites(made, "linux/amd64")) == len(pins.every_wheel)


def with_built(*, tools: tuple[str, ...] = ("tool",)) -> Lock:
    """A lock whose wheel `a` was built from a source with these tools."""
    source = UrlSource(url="https://example.org/a.tar.gz", sha256="1" * 64, name="a.tar.gz")
    made = [w.model_copy(update={"sha256": f"{n + 2}" * 64}) for n, w in enumerate(map(wheel, tools))]
    built = WheelBuild(source=source, requires=tuple(made))
    plain = lock()
    pins = plain.platforms["linux/amd64"]
    changed = pins.model_copy(update={"wheels": (wheel("a").model_copy(update={"built": built}), wheel("b"))})
    return plain.model_copy(update={"platforms": {"linux/amd64": changed}})


def lost(lock: Lock, *titles: str) -> list[str]:
    needs = list_requisites(lock)
    missing = [need for need in needs if any(need.title.startswith(title) for title in titles)]
    assert len(missing) == len(titles)
    return [need.title for need in filter_required(missing, needs)]


def test_either_a_built_wheel_or_all_that_it_is_made_of_is_needed() -> None:
    made = with_built(tools=("tool", "other"))
    assert lost(made, "a 1.0") == [] and lost(made, "the source of a", "tool", "other") == []
    assert lost(made, "a 1.0", "tool") == ["a 1.0", "tool 1.0, which builds a 1.0"]
    assert lost(made, "b 1.0") == ["b 1.0"] and lost(made, "ComfyUI", "tool") == ["ComfyUI"]


def test_what_the_image_has_too_is_needed_whatever_it_builds() -> None:
    pins = with_built().platforms["linux/amd64"]
    assert pins.wheels[0].built is not None
    (tool,) = pins.wheels[0].built.requires
    both = pins.model_copy(update={"wheels": (*pins.wheels, tool)})
    made = with_built().model_copy(update={"platforms": {"linux/amd64": both}})
    assert [need.title for need in list_requisites(made) if need.build_only] == ["the source of a 1.0"]
    assert lost(made, "tool") == ["tool 1.0"]
