"""The emitted project, and above all its README: who reads it has Nix, and not pycomfy."""

from pathlib import Path

from pycomfy.core.lockfile.schema import ComfyUI, Lock, Pack, Platform, Root, Wheel, WorkflowPin
from pycomfy.core.nix.project import ProjectContent, Toolkit, project_files
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.path import PathSource

TEMPLATES = Path(__file__).parents[3] / "templates" / "project"
TREE = "sha256-" + "A" * 43 + "="
TOOLKIT = Toolkit(
    nix={"default.nix": b"{ }"},
    gateway={"__main__.py": b""},
    templates={p.name: p.read_bytes() for p in TEMPLATES.iterdir()},
)


def make_lock(*packs: Pack) -> Lock:
    root = Root(suite="bookworm", archives=(), packages=(), tree=TREE)
    return Lock(
        name="portrait",
        as_of="2025-12-05T00:00:00Z",
        workflow=WorkflowPin(sha256="0" * 64),
        comfyui=ComfyUI(version="0.3.75", source=git("https://example.org/comfyui")),
        packs=packs,
        platforms={"linux/amd64": Platform(root=root, wheels=()), "linux/arm64": Platform(root=root, wheels=())},
    )


def git(url: str) -> GitSource:
    return GitSource(url=url, commit="c" * 40, tree=TREE)


def readme(lock: Lock, *sources: str) -> str:
    content = ProjectContent(lock, b"{}", sources=dict.fromkeys(sources, b""))
    return project_files(content, TOOLKIT)["README.md"].decode()


def test_the_readme_says_how_to_supply_what_does_not_travel_in_the_project() -> None:
    text = readme(
        make_lock(
            Pack(name="near", source=PathSource(path="my-pack", tree=TREE)), Pack(name="own", source=git("r/own"))
        )
    )
    for name in ("near", "own"):
        assert f"nix-store --add-fixed --recursive sha256 {name}\n" in text
    assert "the folder my-pack" in text and f"the git repository r/own at {'c' * 40}" in text


def test_what_travels_is_in_the_project_and_the_readme_asks_for_nothing() -> None:
    lock = make_lock(Pack(name="near", source=PathSource(path="my-pack", tree=TREE)))
    text = readme(lock, "sources/near.tar")
    assert "nix-store" not in text and "| `sources/` |" in text and "`sources/`" not in readme(lock)
    content = ProjectContent(lock, b"{}", sources={"sources/near.tar": b"x"})
    assert project_files(content, TOOLKIT)["sources/near.tar"] == b"x"


def test_the_readme_does_not_speak_of_local_sources_where_there_are_none() -> None:
    text = readme(make_lock(Pack(name="far", source=git("https://example.org/far"))))
    assert "no network address" not in text and "sha256 far" not in text


def test_the_readme_names_the_option_for_a_podman_that_may_not_set_limits() -> None:
    assert "add `--ulimit nofile=4096:4096 --ulimit nproc=4096:4096`" in readme(make_lock())


def test_a_project_without_definitions_has_no_prompt() -> None:
    files = project_files(ProjectContent(make_lock(), b"{}"), TOOLKIT)
    assert "prompt.json" not in files and "interface.json" not in files
    assert {"pycomfy.lock", "workflow.json", "flake.nix", "default.nix", "nix/default.nix"} <= files.keys()


def test_equal_contents_give_equal_bytes() -> None:
    assert project_files(ProjectContent(make_lock(), b"{}"), TOOLKIT) == project_files(
        ProjectContent(make_lock(), b"{}"), TOOLKIT
    )


def test_the_readme_says_how_to_supply_wheels_of_a_folder() -> None:
    near = Wheel(name="x", version="1", filename="x-1-py3-none-any.whl", url="w/x-1.whl", sha256="a" * 64, size=1)
    far = near.model_copy(update={"filename": "y-1-py3-none-any.whl", "url": "https://i.test/y"})
    lock = make_lock()
    root = lock.platforms["linux/amd64"].root
    text = readme(lock.model_copy(update={"platforms": {"linux/amd64": Platform(root=root, wheels=(near, far))}}))
    assert "`x-1-py3-none-any.whl`: the wheel w/x-1.whl" in text
    assert "nix-store --add-fixed sha256 x-1-py3-none-any.whl\n" in text and "y-1-py3" not in text


def test_a_project_has_no_login_of_pycomfy_toml() -> None:
    config = b'# \xff\n[[index]]\nurl = "https://me:p@ss@i.test/simple"\n[packs.a]\ngit = "ssh://git@h/x"\n'
    kept = project_files(ProjectContent(make_lock(), b"{}", config=config), TOOLKIT)["pycomfy.toml"]
    assert kept == config.replace(b"me:p@ss@", b"")
