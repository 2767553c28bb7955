"""What a format can express comes back as it was."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from packaging import pylock

from pycomfy.core.interchange.comfy_pack import MANAGER
from pycomfy.core.interchange.format import RenderedFile, RenderTarget
from pycomfy.core.interchange.model import EnvironmentSpec, FilePack, GitPack, Package, RegistryPack
from pycomfy.core.interchange.parse import parse_environment, parse_members
from pycomfy.core.interchange.registry import load_format
from tests.support.environments import bare, environments, of_kind, pins, unnamed


def render(name: str, environment: EnvironmentSpec, filename: str = "") -> RenderedFile:
    format_ = load_format(name)
    return format_.render(environment, RenderTarget("label", filename or format_.filename))


def there_and_back(name: str, environment: EnvironmentSpec, filename: str = "") -> EnvironmentSpec:
    """Write a file, see that its format is recognised, and read it."""
    format_, content = load_format(name), render(name, environment, filename).content
    if isinstance(content, Mapping):
        assert format_.zip_layout is not None
        texts = {path: data for path, data in content.items() if path in format_.zip_layout.texts}
        found, read = parse_members(texts, format_.zip_layout, filename or format_.filename)
    else:
        found, read = parse_environment(content, filename or format_.filename)
    assert found == format_
    assert not [note for note in read.notes if note.startswith("unknown keys")], "what is written is known"
    return read


def manager_packs(environment: EnvironmentSpec) -> tuple[object, ...]:
    found = [unnamed(p) for p in of_kind(environment, GitPack, RegistryPack, FilePack)]
    return tuple(p for p in found if p.enabled or not isinstance(p, RegistryPack))


@given(environments)
def test_a_snapshot_of_the_manager(environment: EnvironmentSpec) -> None:
    expected = bare(
        environment, comfyui=environment.comfyui, packs=manager_packs(environment), packages=pins(environment)
    )
    for filename in ("s.json", "s.yaml"):
        found = there_and_back("manager-snapshot", environment, filename)
        assert found.notes == ()
        # YAML is written with sorted keys, as the Manager writes it.
        assert set(found.packs) == set(expected.packs) and set(found.packages) == set(expected.packages)
        assert filename == "s.yaml" or found == expected


@given(environments)
def test_a_package_of_comfy_pack(environment: EnvironmentSpec) -> None:
    found = there_and_back("cpack", environment)
    assert (found.workflow, found.prompt) == (environment.workflow, environment.prompt)
    assert found.packs == (replace(MANAGER, name=""), *manager_packs(environment))
    assert (found.comfyui, found.python) == (environment.comfyui, environment.python)
    assert (found.packages, found.models) == (pins(environment), environment.models)
    content = render("cpack", environment).content
    assert isinstance(content, Mapping)
    alone = parse_environment(content["snapshot.json"], "snapshot.json")
    assert alone == (load_format("cpack"), replace(found, workflow=None, prompt=None))


@given(environments)
def test_an_old_package_of_comfy_pack(environment: EnvironmentSpec) -> None:
    found = there_and_back("cpack-0.3", environment)
    assert found.packs == tuple(unnamed(p) for p in of_kind(environment, GitPack))
    assert (found.comfyui, found.python) == (environment.comfyui, environment.python)
    assert (found.packages, found.models) == (pins(environment), environment.models)
    assert (found.workflow, found.prompt) == (environment.workflow, environment.prompt)
    content = render("cpack-0.3", environment).content
    assert isinstance(content, Mapping)
    assert parse_environment(content["snapshot.json"], "snapshot.json")[0].name == "cpack-0.3"


@given(environments)
def test_a_dependency_graph(environment: EnvironmentSpec) -> None:
    packs = []
    for pack in environment.packs:
        if isinstance(pack, GitPack) and pack.enabled:
            packs.append(unnamed(pack))
        elif isinstance(pack, FilePack) and pack.enabled and pack.url is not None:
            packs.append(replace(pack, sha256=None))
    found = there_and_back("comfyui-json", environment)
    assert found.comfyui == environment.comfyui
    assert list(found.packs) == packs and set(found.models) == set(environment.models)
    assert len(render("comfyui-json", environment).lost) >= len(environment.packs) - len(packs)


@given(environments)
def test_the_dependencies_of_cm_cli(environment: EnvironmentSpec) -> None:
    packs = [unnamed(p) for p in environment.packs if isinstance(p, GitPack) and p.enabled]
    found = there_and_back("cm-cli-deps", environment)
    assert [p for p in found.packs if isinstance(p, GitPack)] == packs
    assert len(found.packs) + len(render("cm-cli-deps", environment).lost) >= len(environment.packs)


@given(environments)
def test_a_distribution_definition(environment: EnvironmentSpec) -> None:
    environment = replace(environment, platforms=("linux/arm64",))
    found = there_and_back("comfy-cli", environment)
    packs = [p for p in of_kind(environment, GitPack, RegistryPack) if p.enabled]
    assert (found.comfyui, found.python) == (environment.comfyui, environment.python)
    assert set(found.packs) == set(packs) and found.packages == pins(environment)
    assert set(found.models) == {m for m in environment.models if m.urls}
    assert (found.name, found.platforms) == (environment.name or "label", ("linux/arm64",))


@given(environments)
def test_a_snapshot_of_the_desktop(environment: EnvironmentSpec) -> None:
    packs = [replace(p, url=None, sha256=None) if isinstance(p, FilePack) else p for p in environment.packs]
    found = there_and_back("desktop-snapshot", environment)
    assert found.name == (environment.name or "label")
    assert (found.comfyui, found.python, list(found.packs)) == (environment.comfyui, environment.python, packs)
    assert found.packages == pins(environment)


@given(environments)
def test_a_pylock(environment: EnvironmentSpec) -> None:
    rendered, found = render("pylock", environment), there_and_back("pylock", environment)
    expected = sorted(environment.packages, key=lambda p: p.name)
    assert rendered.lost == () and rendered.notes == () and found.notes == ()
    assert (found.python, list(found.packages)) == (environment.python, expected)
    assert found.platforms == environment.platforms
    assert render("pylock", replace(environment, packages=tuple(reversed(environment.packages)))) == rendered
    assert isinstance(rendered.content, bytes)
    pylock.Pylock.from_dict(tomllib.loads(rendered.content.decode())).validate()


@given(environments)
def test_a_form_of_viewcomfy(environment: EnvironmentSpec) -> None:
    found = there_and_back("view-comfy", environment)
    assert found.name == (environment.name or "label")
    assert found.inputs == tuple(replace(i, title=i.name) for i in environment.inputs)
    assert found.prompt is not None and environment.prompt is not None
    assert json.loads(found.prompt) == json.loads(environment.prompt)


def test_two_versions_of_a_package_for_two_platforms_are_both_in_a_pylock() -> None:
    amd = Package("torch", "2.5.0", platforms=("linux/amd64",))
    arm = Package("torch", "2.6.0", platforms=("linux/arm64",))
    environment = EnvironmentSpec(packages=(amd, arm), platforms=("linux/amd64", "linux/arm64"))
    assert render("pylock", environment).lost == (
        "torch==2.5.0: neither a wheel nor a source is known",
        "torch==2.6.0: neither a wheel nor a source is known",
    )


def test_a_pylock_under_a_name_that_its_tools_do_not_read_is_written_with_a_note() -> None:
    for name, noted in (("pylock.toml", False), ("pylock.gpu.toml", False), ("other.toml", True)):
        assert bool(render("pylock", EnvironmentSpec(), name).notes) is noted
