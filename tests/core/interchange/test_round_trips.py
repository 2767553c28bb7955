"""What a format can say comes back as it was."""

import json
import tomllib
from dataclasses import replace

from hypothesis import given
from packaging import pylock

from pycomfy.core.interchange.comfy_cli import render_definition
from pycomfy.core.interchange.comfy_pack import MANAGER, SNAPSHOT, parse_cpack, render_cpack, render_old_cpack
from pycomfy.core.interchange.comfyui_desktop import render_desktop
from pycomfy.core.interchange.comfyui_json import render_graph
from pycomfy.core.interchange.comfyui_manager import render_snapshot
from pycomfy.core.interchange.model import EnvironmentSpec, FilePack, GitPack, Package, RegistryPack
from pycomfy.core.interchange.pylock import render_pylock
from pycomfy.core.interchange.registry import parse_environment
from pycomfy.core.interchange.view_comfy import render_view
from tests.support.recipes import bare, of_kind, pins, recipes, unnamed


def manager_packs(recipe: EnvironmentSpec) -> tuple[object, ...]:
    found = [unnamed(p) for p in of_kind(recipe, GitPack, RegistryPack, FilePack)]
    return tuple(p for p in found if p.enabled or not isinstance(p, RegistryPack))


@given(recipes)
def test_a_snapshot_of_the_manager(recipe: EnvironmentSpec) -> None:
    expected = bare(recipe, core=recipe.core, packs=manager_packs(recipe), packages=pins(recipe))
    for as_yaml, name in ((False, "s.json"), (True, "s.yaml")):
        data, _ = render_snapshot(recipe, as_yaml=as_yaml)
        format_, found = parse_environment(data, name)
        assert format_ == "manager-snapshot" and found.remarks == ()
        # YAML is written with sorted keys, as the Manager writes it.
        assert set(found.packs) == set(expected.packs) and set(found.packages) == set(expected.packages)
        assert as_yaml or found == expected


@given(recipes)
def test_a_package_of_comfy_pack(recipe: EnvironmentSpec) -> None:
    files, _ = render_cpack(recipe)
    found = parse_cpack(files, "x.cpack.zip")
    assert (found.workflow, found.prompt, found.core) == (recipe.workflow, recipe.prompt, recipe.core)
    assert found.packs == (replace(MANAGER, name=""), *manager_packs(recipe))
    assert (found.python, found.packages, found.models) == (recipe.python, pins(recipe), recipe.models)
    assert parse_environment(files[SNAPSHOT], "snapshot.json") == ("cpack", replace(found, workflow=None, prompt=None))


@given(recipes)
def test_an_old_package_of_comfy_pack(recipe: EnvironmentSpec) -> None:
    files, _ = render_old_cpack(recipe)
    found = parse_cpack(files, "x.cpack.zip")
    assert found.packs == tuple(unnamed(p) for p in of_kind(recipe, GitPack))
    assert (found.python, found.packages, found.models) == (recipe.python, pins(recipe), recipe.models)
    assert (found.workflow, found.prompt, found.core) == (recipe.workflow, recipe.prompt, recipe.core)
    assert parse_environment(files[SNAPSHOT], "snapshot.json")[0] == "cpack-0.3"


@given(recipes)
def test_a_dependency_graph(recipe: EnvironmentSpec) -> None:
    data, lost = render_graph(recipe)
    packs = []
    for pack in recipe.packs:
        if isinstance(pack, GitPack) and pack.enabled:
            packs.append(unnamed(pack))
        elif isinstance(pack, FilePack) and pack.enabled and pack.url is not None:
            packs.append(replace(pack, sha256=None))
    format_, found = parse_environment(data, "deps.json")
    assert format_ == "comfyui-json" and found.core == recipe.core
    assert list(found.packs) == packs and set(found.models) == set(recipe.models)
    assert len(lost) >= len(recipe.packs) - len(packs)


@given(recipes)
def test_a_distribution_definition(recipe: EnvironmentSpec) -> None:
    recipe = replace(recipe, platforms=("linux/arm64",))
    data, _ = render_definition(recipe, "name")
    format_, found = parse_environment(data, "build.json")
    packs = [p for p in of_kind(recipe, GitPack, RegistryPack) if p.enabled]
    assert format_ == "comfy-cli" and (found.core, found.python) == (recipe.core, recipe.python)
    assert set(found.packs) == set(packs) and found.packages == pins(recipe)
    assert set(found.models) == {m for m in recipe.models if m.urls}
    assert (found.name, found.platforms) == ("name", ("linux/arm64",))


@given(recipes)
def test_a_snapshot_of_the_desktop(recipe: EnvironmentSpec) -> None:
    data, _ = render_desktop(recipe, "name")
    packs = [replace(p, url=None, sha256=None) if isinstance(p, FilePack) else p for p in recipe.packs]
    format_, found = parse_environment(data, "desktop.json")
    assert format_ == "desktop-snapshot"
    assert (found.core, found.python, list(found.packs)) == (recipe.core, recipe.python, packs)
    assert found.packages == pins(recipe)


@given(recipes)
def test_a_pylock(recipe: EnvironmentSpec) -> None:
    data, lost = render_pylock(recipe)
    format_, found = parse_environment(data, "pylock.toml")
    expected = sorted(recipe.packages, key=lambda p: p.name)
    assert format_ == "pylock" and lost == () and found.remarks == ()
    assert (found.python, list(found.packages), found.platforms) == (recipe.python, expected, recipe.platforms)
    assert render_pylock(replace(recipe, packages=tuple(reversed(recipe.packages))))[0] == data
    pylock.Pylock.from_dict(tomllib.loads(data.decode())).validate()


@given(recipes)
def test_a_form_of_viewcomfy(recipe: EnvironmentSpec) -> None:
    data, _ = render_view(recipe, "label")
    format_, found = parse_environment(data, "view_comfy.json")
    assert format_ == "view-comfy" and found.name == (recipe.name or "label")
    assert found.inputs == tuple(replace(i, title=i.name) for i in recipe.inputs)
    assert found.prompt is not None and recipe.prompt is not None
    assert json.loads(found.prompt) == json.loads(recipe.prompt)


def test_two_versions_of_a_package_for_two_platforms_are_both_in_a_pylock() -> None:
    amd = Package("torch", "2.5.0", platforms=("linux/amd64",))
    arm = Package("torch", "2.6.0", platforms=("linux/arm64",))
    recipe = EnvironmentSpec(packages=(amd, arm), platforms=("linux/amd64", "linux/arm64"))
    assert render_pylock(recipe)[1] == (
        "torch==2.5.0, of which neither wheel nor source is known",
        "torch==2.6.0, of which neither wheel nor source is known",
    )
