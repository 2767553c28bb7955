"""The pycomfy.toml that an environment becomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.interchange.model import (
    ApiInput,
    ComfyUIRevision,
    EnvironmentSpec,
    FilePack,
    GitPack,
    ModelEntry,
    OtherPack,
    Package,
    RegistryPack,
)
from pycomfy.core.interchange.to_config import render_config
from pycomfy.core.lockfile.config import Config, parse_config
from pycomfy.core.sources.comfy_registry import RegistrySpec
from pycomfy.core.sources.git import GitSpec
from pycomfy.core.sources.url import UrlSpec
from tests.support.environments import environments

A, SHA = "a" * 40, "5" * 64
anything = st.text(max_size=30)


def written(environment: EnvironmentSpec) -> tuple[Config, tuple[str, ...]]:
    found = render_config(environment, "a test")
    return parse_config(found.text), found.notes


@given(environments)
def test_every_environment_becomes_a_configuration_of_what_is_enabled(environment: EnvironmentSpec) -> None:
    config, _ = written(environment)
    expected: set[object] = set()
    for pack in environment.packs:
        match pack:
            case GitPack(enabled=True):
                expected.add((pack.url, pack.commit))
            case RegistryPack(enabled=True):
                expected.add((pack.id, pack.version))
            case FilePack(enabled=True) if pack.url is not None:
                expected.add((pack.url, pack.sha256))
    found: set[object] = set()
    for spec in config.packs.values():
        match spec:
            case GitSpec():
                found.add((spec.git, spec.rev))
            case RegistrySpec():
                found.add((spec.registry, spec.version))
            case UrlSpec():
                found.add((spec.url, spec.sha256))
    # Addresses of one repository that differ in case alone are one.
    assert {str(e).lower() for e in expected} == {str(f).lower() for f in found}
    assert {(f"{m.folder}/{m.name}", m.sha256, m.url) for m in config.models} == {
        (m.path, m.sha256, m.urls[0] if m.urls else None) for m in environment.models
    }
    assert list(config.inputs.values()) == [f"{i.node}.{i.input}" for i in environment.inputs]
    pins = [o.split(" ")[0] for o in config.overrides] + list(config.requirements)
    assert set(pins) == {p.pin for p in environment.packages}
    assert config.python == environment.python


@given(
    st.builds(
        EnvironmentSpec,
        name=anything,
        comfyui=st.builds(ComfyUIRevision, revision=anything),
        packs=st.lists(
            st.builds(GitPack, anything, anything, anything, st.booleans())
            | st.builds(RegistryPack, anything, anything, anything, st.booleans())
            | st.builds(FilePack, anything, anything, anything, st.booleans())
            | st.builds(OtherPack, anything, anything),
            max_size=4,
        ).map(tuple),
        python=anything,
        packages=st.lists(st.builds(Package, anything, anything, st.none() | anything), max_size=3).map(tuple),
        models=st.lists(st.builds(ModelEntry, anything, anything, st.tuples(anything)), max_size=3).map(tuple),
        inputs=st.lists(st.builds(ApiInput, anything, anything, anything), max_size=3).map(tuple),
        notes=st.tuples(anything),
    )
)
def test_whatever_an_untrusted_file_says_the_configuration_is_valid(environment: EnvironmentSpec) -> None:
    written(environment)


def test_only_public_addresses_are_taken_from_an_untrusted_file() -> None:
    bad = ["file:///etc", "../up", "-u", "ext::sh -c x", "ssh://git@host/x", "git@host:x/y", "http://host/x", "/abs"]
    config, notes = written(EnvironmentSpec(packs=tuple(GitPack(url, A, f"p{n}") for n, url in enumerate(bad))))
    assert config.packs == {} and len(
        [n for n in notes if "left out: an untrusted file may only name https" in n]
    ) == len(bad)


def test_a_login_in_an_address_goes_nowhere() -> None:
    environment = EnvironmentSpec(
        packs=(GitPack("https://user:secret@github.com/a/b.git", A),),
        packages=(Package("x", url="git+https://github.com/a/x"),),
        models=(ModelEntry("vae/v.safetensors", SHA, ("https://u:secret@x.test/v.safetensors?token=secret&v=1",)),),
    )
    found = render_config(environment, "a test")
    assert "secret" not in found.text + "".join(found.notes)
    config = parse_config(found.text)
    assert config.packs == {"b": GitSpec(git="https://github.com/a/b", rev=A)}
    assert config.models[0].url == "https://x.test/v.safetensors?v=1"
    assert sum("login" in note for note in found.notes) == 2


def test_what_is_disabled_stays_as_a_comment() -> None:
    found = render_config(EnvironmentSpec(packs=(GitPack("https://github.com/a/Off", A, enabled=False),)), "a test")
    assert parse_config(found.text).packs == {}
    assert f'# [packs.Off]\n# git = "https://github.com/a/Off"\n# rev = "{A}"' in found.text
    assert "disabled node packs, left out: Off" in found.notes


def test_a_repository_is_taken_once_and_folders_differ() -> None:
    packs = (
        GitPack("https://github.com/a/Nodes", A),
        GitPack("https://github.com/A/nodes.git", "b" * 40),
        GitPack("https://github.com/b/NODES", A),
        GitPack("https://github.com/c/ComfyUI", A),
    )
    config, notes = written(EnvironmentSpec(packs=packs))
    assert list(config.packs) == ["Nodes", "NODES-3", "ComfyUI-2"]
    assert any("twice, at different commits" in note for note in notes)


def test_the_manager_is_left_out() -> None:
    for pack in (
        GitPack("https://github.com/ltdrdata/ComfyUI-Manager.git", A),
        RegistryPack("comfyui-manager", "3.0.0"),
    ):
        config, notes = written(EnvironmentSpec(packs=(pack,)))
        assert config.packs == {} and any("ComfyUI-Manager is left out" in note for note in notes)


@pytest.mark.parametrize(
    ("given_", "taken"), [("3.11", "3.11"), ("3.13.1", "3.13"), ("3.12.7", "3.11"), ("3.10", "3.11"), ("3.14", "3.13")]
)
def test_the_nearest_python_is_taken_with_a_note(given_: str, taken: str) -> None:
    config, notes = written(EnvironmentSpec(python=given_, comfyui=ComfyUIRevision(A)))
    assert config.python == taken
    assert bool(notes) == (not given_.startswith(taken))


def test_a_pack_without_a_version_is_left_out() -> None:
    for version in ("nightly", "latest", "unknown", ""):
        config, notes = written(EnvironmentSpec(packs=(RegistryPack("pack-a", version),)))
        assert config.packs == {} and any("locking asks for it" in note for note in notes)


def test_pytorchs_build_becomes_the_accelerator() -> None:
    packages = (Package("torch", "2.5.1+cu124"), Package("xformers", "0.0.28+cu124"), Package("odd", "1.0+mine"))
    config, notes = written(EnvironmentSpec(comfyui=ComfyUIRevision(A), packages=packages))
    assert config.accelerator == "cu124"
    assert config.overrides == ("odd==1.0", "torch==2.5.1", "xformers==0.0.28")
    assert len(notes) == 1 and notes[0].startswith("odd 1.0+mine: ")


def test_packages_from_a_url_are_required_from_there_if_it_is_public() -> None:
    good = f"git+https://github.com/openai/CLIP.git@{A}"
    packages = (
        Package("clip", url=good),
        Package("mine", url="file:///home/me/mine"),
        Package("local", url="git+file:///home/me/mine"),
        Package("shell", url="git+ssh://git@host/x"),
    )
    found = render_config(EnvironmentSpec(comfyui=ComfyUIRevision(A), packages=packages), "a test")
    assert parse_config(found.text).requirements == (f"clip @ {good}",)
    assert len(found.notes) == 1 and found.notes[0].endswith("left out: local, mine, shell")
    assert "# mine @ file:///home/me/mine" in found.text
