from datetime import UTC, datetime

import pytest

from pycomfy.core.lockfile.config import Config, parse_config
from pycomfy.core.lockfile.schema import ComfyUI, DebianPackage, DebianPackages, Lock, Pack, Platform, Root, WorkflowPin
from pycomfy.core.lockfile.update_policy import UpdatePolicy
from pycomfy.core.sources.git import GitSource, GitSpec
from pycomfy.errors import BadConfig, NotFound

TREE = "sha256-" + "A" * 43 + "="
CONFIG = """
[comfyui]
git = "https://github.com/comfyanonymous/ComfyUI"
[packs.a]
git = "https://github.com/ann/a.git"
rev = "main"
[packs.b]
git = "https://github.com/else/b"
[packs.c]
path = "c"
"""


def source(url: str, digit: str) -> GitSource:
    return GitSource(url=url, commit=digit * 40, tree=TREE)


def lock(suite: str = "bookworm") -> Lock:
    deb = DebianPackage(name="git", version="1", archive=0, path="x.deb", sha256="0" * 64, size=1)
    root = Root(suite=suite, archives=("https://h/d",), packages=(deb,), tree=TREE)
    return Lock(
        name="x",
        as_of="2025-01-01T00:00:00Z",
        workflow=WorkflowPin(sha256="0" * 64),
        comfyui=ComfyUI(version="1", source=source("https://github.com/comfyanonymous/ComfyUI", "1")),
        packs=(
            Pack(name="a", source=source("https://github.com/Ann/A", "a")),
            Pack(name="b", source=source("https://github.com/bob/b", "b")),
            Pack(name="Found", source=source("https://github.com/f/found", "f")),
        ),
        platforms={"linux/amd64": Platform(root=root, wheels=())},
    )


def revisions(config: Config) -> dict[str, str | None]:
    specs = {"comfyui": config.comfyui, **config.packs}
    return {name: spec.rev for name, spec in specs.items() if isinstance(spec, GitSpec)}


def renewed(*names: str) -> Config:
    return UpdatePolicy(lock(), frozenset(names)).apply(parse_config(CONFIG))


def test_without_names_pycomfy_toml_says_what_is_taken() -> None:
    config = parse_config(CONFIG)
    assert UpdatePolicy(lock()).apply(config) == config and UpdatePolicy(lock()).roots(config) == {}


def test_only_what_is_named_is_renewed() -> None:
    config = renewed("python")
    assert revisions(config) == {"comfyui": "1" * 40, "a": "a" * 40, "b": None} and config.as_of is None
    config = renewed("a")
    assert revisions(config) == {"comfyui": "1" * 40, "a": "main", "b": None}
    assert config.as_of == datetime(2025, 1, 1, tzinfo=UTC)
    assert revisions(renewed("comfyui")) == {"comfyui": None, "a": "a" * 40, "b": None}
    assert revisions(renewed("all")) == {"comfyui": None, "a": "main", "b": None}


def test_the_userland_stays_unless_it_lacks_what_is_asked_for() -> None:
    config = parse_config(CONFIG)
    assert list(UpdatePolicy(lock(), frozenset({"a"})).roots(config)) == ["linux/amd64"]
    assert UpdatePolicy(lock(), frozenset({"base"})).roots(config) == {}
    assert UpdatePolicy(lock("trixie"), frozenset({"a"})).roots(config) == {}
    assert UpdatePolicy(lock(), frozenset({"a"})).roots(config.model_copy(update={"apt": ("git", "ffmpeg")})) == {}
    of_a_day = parse_config(CONFIG + "[debian]\nsnapshot = 2025-06-01\n")
    assert UpdatePolicy(lock(), frozenset({"a"})).roots(of_a_day) == {}


def test_the_browser_stays_unless_the_userland_is_renewed_or_it_lacks_a_package() -> None:
    config = Config()
    made = lock()
    pins = made.platforms["linux/amd64"]
    browser = DebianPackages(suite="bookworm", archives=pins.root.archives, packages=pins.root.packages)
    made = made.model_copy(update={"platforms": {"linux/amd64": pins.model_copy(update={"browser": browser})}})
    names = [p.name for p in browser.packages]
    assert UpdatePolicy(made, frozenset({"a"})).browsers(config, names) == {"linux/amd64": browser}
    assert UpdatePolicy(made).browsers(config, names) == {}
    assert UpdatePolicy(made, frozenset({"base"})).browsers(config, names) == {}
    assert UpdatePolicy(made, frozenset({"a"})).browsers(config, ["chromium"]) == {}
    assert UpdatePolicy(lock(), frozenset({"a"})).browsers(config, names) == {}


def test_names_that_stand_for_nothing_are_told() -> None:
    config = parse_config(CONFIG)
    UpdatePolicy(lock(), frozenset({"all", "base", "found", "c"})).check(config, "w")
    with pytest.raises(BadConfig, match="no node pack nope"):
        UpdatePolicy(lock(), frozenset({"nope"})).check(config, "w")
    with pytest.raises(NotFound, match="no lock"):
        UpdatePolicy(None, frozenset({"all"})).check(config, "w")
