"""What a format cannot express is named in the same words by every format."""

import json
from collections.abc import Mapping

import pytest

from pycomfy.core.interchange.format import RenderTarget
from pycomfy.core.interchange.lost import describe_lost_pack, list_lost_of_comfyui, list_lost_of_file
from pycomfy.core.interchange.model import (
    ComfyUIRevision,
    EnvironmentSpec,
    FilePack,
    GitPack,
    OtherPack,
    PackEntry,
    RegistryPack,
)
from pycomfy.core.interchange.registry import FORMATS, load_format

SHA = "5" * 64
URL = "https://example.org/x.py"
PACKS: dict[PackEntry, str] = {
    GitPack("https://h/x", enabled=False): "the disabled node pack https://h/x",
    RegistryPack("x", "1.0"): "the node pack x 1.0: it has no repository address, only an id of the Comfy registry",
    RegistryPack("x", "1.0", enabled=False): "the disabled node pack x 1.0",
    FilePack("x.py"): "the node pack x.py: it is a single file",
    FilePack("x.py", URL, SHA, enabled=False): "the disabled node pack x.py",
    OtherPack("x", "it was local to one machine"): "the node pack x: it was local to one machine",
    OtherPack("x", "it was local to one machine", enabled=False): "the disabled node pack x",
}


@pytest.mark.parametrize(("pack", "phrase"), PACKS.items())
def test_a_node_pack_that_cannot_be_held(pack: PackEntry, phrase: str) -> None:
    assert describe_lost_pack(pack) == phrase


@pytest.mark.parametrize("name", [name for name in FORMATS if "packs" in load_format(name).parts])
@pytest.mark.parametrize("pack", PACKS)
def test_each_format_writes_a_node_pack_or_says_that_it_is_lost(name: str, pack: PackEntry) -> None:
    format_ = load_format(name)

    def written(*packs: PackEntry) -> tuple[object, tuple[str, ...]]:
        made = format_.render(EnvironmentSpec(packs=packs), RenderTarget("label", format_.filename))
        content = made.content["snapshot.json"] if isinstance(made.content, Mapping) else made.content
        return json.loads(content), made.lost

    without, _ = written()
    document, lost = written(pack)
    assert (document != without) != (PACKS[pack] in lost)


def test_what_is_lost_of_a_file() -> None:
    file = FilePack("x.py", URL, SHA)
    assert list(list_lost_of_file(file)) == [f"the address of x.py, {URL}", "the hash of x.py"]
    assert list(list_lost_of_file(file, holds_url=True)) == ["the hash of x.py"]
    assert list(list_lost_of_file(FilePack("x.py"))) == []


@pytest.mark.parametrize(
    ("comfyui", "revision_only", "with_version"),
    [
        (None, [], []),
        (ComfyUIRevision("v1"), [], []),
        (ComfyUIRevision("v1", url="u"), ["ComfyUI's repository, u"], ["ComfyUI's repository, u"]),
        (
            ComfyUIRevision(version="0.3"),
            ["ComfyUI 0.3, which is not pinned by a commit"],
            ["ComfyUI's source: only its version, 0.3, is given"],
        ),
        (ComfyUIRevision(), ["ComfyUI, which is not pinned by a commit"], ["ComfyUI, which is not pinned by a commit"]),
    ],
)
def test_what_is_lost_of_comfyui(
    comfyui: ComfyUIRevision | None, revision_only: list[str], with_version: list[str]
) -> None:
    assert list(list_lost_of_comfyui(comfyui)) == revision_only
    assert list(list_lost_of_comfyui(comfyui, holds_version=True)) == with_version
