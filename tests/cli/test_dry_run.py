"""Every command that has `--dry-run` changes nothing with it, and says what it then does without."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from pycomfy.cli.commands import list_commands, load_command
from tests.support.catalog_maps import A, lists
from tests.support.cli_projects import Place
from tests.support.full_data_folder import FullDataFolder, make_full_data_folder
from tests.support.installations import make_installation
from tests.support.repositories import commit

NOTE = "note: this was a dry run: nothing was changed\n"
NIX = pytest.mark.skipif(shutil.which("nix") is None, reason="no Nix here")


SNAPSHOT = {"comfyui": "0" * 40, "git_custom_nodes": {}, "file_custom_nodes": [], "pips": {"requests==2.32.0": ""}}


@dataclass(frozen=True)
class Case:
    """A command line that changes something. `fetches`: what it downloads stays in the cache. `same`: it prints exactly
    what the real run prints. `real` names the test that compares it with a real run, where that is not done here."""

    words: str
    fetches: bool = False
    same: bool = True
    real: str = ""


CASES: Mapping[str, Case] = {
    "archive fill": Case("--models"),
    "archive gc": Case("", same=False),
    "archive pull": Case("file://ARCHIVE"),
    "archive push": Case("file://OTHER"),
    "branch": Case("quick hello@1"),
    "build": Case(". --no-prove", fetches=True, real="tests/nix/test_several_workflows.py"),
    "capture": Case("INSTALLATION -o captured --add-models --all-models"),
    "catalog update": Case("", fetches=True),
    "checkout": Case("hello@1 --to copy"),
    "export": Case("hello@1 -o hello.tar.zst"),
    "gc": Case("", real="tests/nix/test_gc.py"),
    "import": Case("SNAPSHOT --to made"),
    "lock": Case(".", fetches=True),
    "merge": Case("fast hello"),
    "models add": Case("MODEL --as loras/new.safetensors"),
    "models pull": Case("hello"),
    "pull": Case("REMOTE"),
    "push": Case("REMOTE"),
    "reindex": Case(""),
    "rename": Case("hello greeting"),
    "restore": Case("hello@1 --project project"),
    "revert": Case("hello@1"),
    "rm": Case("other --force"),
    "tag": Case("first hello@1"),
}


def with_dry_run() -> list[str]:
    return sorted(words for words in list_commands() if any("--dry-run" in p.opts for p in load_command(words).params))


def test_every_command_with_a_dry_run_is_tried() -> None:
    assert with_dry_run() == sorted(CASES)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> FullDataFolder:
    return make_full_data_folder(tmp_path_factory.mktemp("full"))


@dataclass(frozen=True)
class Scene:
    place: Place
    full: FullDataFolder

    def words(self, command: str) -> tuple[str, ...]:
        """The command with its arguments; what is elsewhere in the place of each name for it."""
        elsewhere = self.place.root / "elsewhere"
        paths = {
            "ARCHIVE": self.full.archive,
            "OTHER": elsewhere / "archive",
            "REMOTE": elsewhere / "remote.git",
            "MODEL": elsewhere / "new.safetensors",
            "SNAPSHOT": elsewhere / "snapshot.json",
            "INSTALLATION": elsewhere / "installation",
        }
        words = (*command.split(), *CASES[command].words.split())
        return tuple(re.sub("[A-Z]{5,}$", lambda m: str(paths[m[0]]), word) for word in words)

    def files(self, *, cache: bool) -> dict[str, bytes]:
        """Every file and link of all folders that a command may know of, with its bytes."""
        found = {}
        for top in (self.place.data, self.place.work, self.place.root / "elsewhere"):
            for path in sorted(top.rglob("*")):
                name = str(path.relative_to(self.place.root))
                if name in ("data/cache", "data/cache/dry-runs") or (name.startswith("data/cache/") and not cache):
                    continue
                about = path.readlink().__fspath__().encode() if path.is_symlink() else b""
                found[name] = path.read_bytes() if path.is_file() and not about else about
        return found


@pytest.fixture
def scene(place: Place, full: FullDataFolder) -> Scene:
    """A place with all of a data folder, whose archive lacks something and has too much, and with a project."""
    full.copied(place.root)
    scene = Scene(place, full)
    elsewhere = place.root / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(full.remote, elsewhere / "remote.git")
    (elsewhere / "snapshot.json").write_text(json.dumps(SNAPSHOT))
    (elsewhere / "new.safetensors").write_bytes(b"new weights")
    make_installation(elsewhere)
    (elsewhere / "ComfyUI").rename(elsewhere / "installation")
    commit(place.root / "manager", lists({A: (["X", "New"],)}))
    rule = f'[url "{place.root}/manager"]\n\tinsteadOf = https://github.com/Comfy-Org/ComfyUI-Manager\n'
    (place.root / "home" / ".gitconfig").write_text(rule)
    place.project()
    return scene


def prepare(scene: Scene, command: str) -> None:
    archive = scene.place.data / "archive"
    if command == "archive pull":
        shutil.rmtree(archive)
    if command == "archive gc":
        (archive / f"{'0' * 32}.narinfo").write_text("of a version that was removed")
    if command == "pull":
        assert scene.place.run("rm", "other", "--force").status == 0
    if command == "push":
        assert scene.place.run("branch", "mine", "hello@1").status == 0
    assert scene.place.run("log").status == 0  # what reading changes is changed


@pytest.mark.parametrize("command", sorted(CASES))
def test_it_changes_nothing_and_says_what_is_then_done(scene: Scene, command: str) -> None:
    if shutil.which("nix") is None and command.split()[0] in ("archive", "build", "restore"):
        pytest.skip("no Nix here")
    case = CASES[command]
    prepare(scene, command)
    words = scene.words(command)
    before = scene.files(cache=not case.fetches)
    dry = scene.place.run(*words, "--dry-run")
    assert dry.status == 0 and NOTE in dry.err, dry.err
    after = scene.files(cache=not case.fetches)
    assert after.keys() == before.keys()
    assert [name for name in before if before[name] != after[name]] == []
    assert not list((scene.place.data / "cache" / "dry-runs").iterdir())
    assert "dry-runs" not in dry.out + dry.err
    if case.real:
        return
    done = scene.place.run(*words)
    assert done.status == 0 and NOTE not in done.err, done.err
    assert done.out == (dry.out if case.same else dry.out.replace("would be ", ""))
    assert scene.files(cache=not case.fetches) != before or command in ("reindex", "archive fill", "models pull")
