"""What other tools' files can hold of a lock, and what is reported of the rest."""

from pycomfy.core.interchange.from_lock import environment_from_lock, list_inputs
from pycomfy.core.interchange.model import ComfyUIRevision, FilePack, GitPack, ModelEntry, OtherPack
from pycomfy.core.interchange.registry import load_format
from pycomfy.core.interface.model import Interface, Parameter, Target
from pycomfy.core.lockfile.schema import (
    CivitaiModel,
    ComfyUI,
    HuggingFaceModel,
    Lock,
    ModelFile,
    Pack,
    Platform,
    Step,
    Wheel,
    WheelBuild,
)
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.lock_source import LockSource
from pycomfy.core.sources.path import PathSource
from pycomfy.core.sources.url import UrlSource
from pycomfy.core.sources.wheel_tree import WheelTreeSource
from tests.support.service_projects import TREE, make_lock

A, SHA = "a" * 40, "5" * 64


def wheel(
    name: str, version: str = "1.0", tag: str = "py3-none-any", url: str = "", built: WheelBuild | None = None
) -> Wheel:
    filename = f"{name}-{version}-{tag}.whl"
    url = url or f"https://x.test/{filename}"
    return Wheel(name=name, version=version, filename=filename, url=url, sha256=SHA, size=1, built=built)


def lock(**changes: object) -> Lock:
    return make_lock("portrait", b"{}", pack=None).model_copy(update=changes)


def test_packs_are_described_by_their_sources() -> None:
    sources: dict[str, LockSource] = {
        "git": GitSource(url="https://github.com/a/b", commit=A, tree=TREE),
        "near": GitSource(url="../near", commit=A, tree=TREE),
        "file": UrlSource(url="https://x.test/file.py", sha256=SHA, name="file.py"),
        "path": PathSource(path="mine", tree=TREE),
        "wheel": WheelTreeSource(url="https://x.test/w.whl", sha256=SHA, name="w.whl", size=1, folder="w"),
    }
    environment = environment_from_lock(lock(packs=tuple(Pack(name=n, source=s) for n, s in sources.items())))
    assert environment.packs == (
        GitPack("https://github.com/a/b", A, "git"),
        OtherPack("near", "it comes from a repository on this machine"),
        FilePack("file.py", "https://x.test/file.py", SHA),
        OtherPack("path", "it comes from a folder on this machine"),
        OtherPack("wheel", "it comes from the wheel w.whl"),
    )


def test_comfyui_is_the_usual_one_or_another() -> None:
    for url in ("https://github.com/comfyanonymous/ComfyUI.git", "https://github.com/Comfy-Org/ComfyUI"):
        source = GitSource(url=url, commit=A, tree=TREE)
        assert environment_from_lock(lock(comfyui=ComfyUI(version="0.3.75", source=source))).comfyui == ComfyUIRevision(
            A, "0.3.75"
        )
    fork = GitSource(url="https://github.com/me/ComfyUI", commit=A, tree=TREE)
    found = environment_from_lock(lock(comfyui=ComfyUI(version="unknown", source=fork))).comfyui
    assert found == ComfyUIRevision(A, None, "https://github.com/me/ComfyUI")
    assert environment_from_lock(lock()).comfyui == ComfyUIRevision(version="0.3.75")


def test_each_version_of_a_package_is_there_once() -> None:
    root = lock().platforms["linux/amd64"].root
    both = wheel("both")
    git = WheelBuild(source=GitSource(url="https://github.com/a/clip", commit=A, tree=TREE), subdirectory="py")
    sdist = UrlSource(url="https://x.test/old-1.0.tar.gz", sha256=SHA, name="old-1.0.tar.gz")
    amd = (both, wheel("torch", "2.5.0"), wheel("clip", built=git), wheel("old", built=WheelBuild(source=sdist)))
    arm = (both, wheel("torch", "2.6.0"), wheel("near", url="wheels/near-1.0-py3-none-any.whl"))
    made = lock(
        platforms={"linux/amd64": Platform(root=root, wheels=amd), "linux/arm64": Platform(root=root, wheels=arm)}
    )
    environment = environment_from_lock(made)
    assert [(p.pin, p.platforms, len(p.files)) for p in environment.packages] == [
        ("both==1.0", (), 1),
        (f"clip @ git+https://github.com/a/clip@{A}#subdirectory=py", ("linux/amd64",), 0),
        ("near==1.0", ("linux/arm64",), 0),
        ("old==1.0", ("linux/amd64",), 0),
        ("torch==2.5.0", ("linux/amd64",), 1),
        ("torch==2.6.0", ("linux/arm64",), 1),
    ]
    assert environment.packages[3].sdist == sdist
    assert environment.notes == ("the source of near-1.0-py3-none-any.whl, which is a file on this machine",)
    assert [p.pin for p in environment.on("linux/arm64").packages] == ["both==1.0", "near==1.0", "torch==2.6.0"]


def test_the_gateways_packages_are_no_part_of_the_environment() -> None:
    plain = lock()
    pins = plain.platforms["linux/amd64"].model_copy(update={"gateway": (wheel("fastapi"),)})
    made = lock(platforms={"linux/amd64": pins})
    assert environment_from_lock(made) == environment_from_lock(plain)


def test_patches_and_build_steps_are_reported_as_lost() -> None:
    changed = GitSource(url="https://github.com/a/b", commit=A, tree=TREE, patch="diff")
    made = lock(packs=(Pack(name="b", source=changed, steps=(Step(run=("make",)),)),))
    assert environment_from_lock(made).notes == (
        "the patch of the node pack b",
        "the build steps of the node pack b",
    )


def test_models_are_described_by_their_urls() -> None:
    hub = HuggingFaceModel(repository="o/r", revision=A, path="a b.safetensors")
    sources = (hub, CivitaiModel(version=7, query="type=Model"))
    model = ModelFile(folder="vae", name="v.safetensors", sha256=SHA, sources=sources)
    assert environment_from_lock(lock(models=(model,))).models == (
        ModelEntry(
            "vae/v.safetensors",
            SHA,
            (
                f"https://huggingface.co/o/r/resolve/{A}/a%20b.safetensors",
                "https://civitai.com/api/download/models/7?type=Model",
            ),
        ),
    )


def test_what_a_format_cannot_hold_is_counted() -> None:
    environment = environment_from_lock(lock(models=(ModelFile(folder="vae", name="v", sha256=SHA),)))
    assert list(load_format("pylock").list_unsupported(environment)) == [
        "ComfyUI's version",
        "1 model",
        "1 Debian package",
    ]
    assert list(load_format("cpack").list_unsupported(environment)) == [
        "the hashes of the Python packages",
        "1 Debian package",
    ]


def test_a_parameter_is_described_by_its_first_input() -> None:
    targets = (Target(node="1", input="a"), Target(node="2", input="b"))
    parameters = (
        Parameter(name="x", type="integer", targets=targets, default=3, minimum=1),
        Parameter(name="y", type="text", targets=()),
    )
    (found,) = list_inputs(Interface(parameters=parameters))
    assert (found.name, found.node, found.input, found.default, found.minimum) == ("x", "1", "a", 3, 1)
