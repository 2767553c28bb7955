"""Which sources travel in a project: those that Nix alone could not fetch, or not as they are."""

import subprocess
from pathlib import Path

import pytest

from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.sources.pin import pin_source
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.lockfile.schema import Lock, Pack, Root
from pycomfy.core.nix.lock_outputs import source_requisite
from pycomfy.services import carried
from pycomfy.services.carried import carry_sources
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.nix_projects import Workshop
from tests.support.repositories import commit


@pytest.fixture
def workspace(workshop: Workshop, tmp_path: Path) -> Workspace:
    return Workspace(new_paths(tmp_path), workshop.settings)


def lock_of(workshop: Workshop, root: Root, workspace: Workspace, config: str) -> Lock:
    packs = parse_config(config).packs.items()
    pinned = [(name, pin_source(spec, workshop.folder, name, workspace.paths).source) for name, spec in packs]
    return workshop.lock({"linux/amd64": root}, [], [Pack(name=name, source=source) for name, source in pinned])


def test_a_public_repository_travels_only_where_its_archive_would_differ(
    workshop: Workshop, root: Root, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host, name, attributes in (
        ("github.com", "plain", "*.py diff=python\n* text=auto\n"),
        ("github.com", "part", "tests export-ignore\n"),
        ("github.com", "lines", "*.bat text eol=crlf\n"),
        ("forge.test", "other", ""),
    ):
        files = {"__init__.py": f"# {tmp_path}\n", "nodes/.gitattributes": attributes, "tests/x.py": ""}
        commit(tmp_path / "git" / host / "me" / name, files)
    for number, host in enumerate(("github.com", "forge.test")):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", f"url.{(tmp_path / 'git' / host).as_uri()}/.insteadOf")
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", f"https://{host}/")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    lines = [
        f'[packs.{name}]\ngit = "https://{host}/me/{name}"'
        for host, name in (
            ("github.com", "plain"),
            ("github.com", "part"),
            ("github.com", "lines"),
            ("forge.test", "other"),
        )
    ]
    lock = lock_of(workshop, root, workspace, "\n".join(lines))
    assert sorted(carry_sources(workspace, lock, tmp_path)) == [f"sources/{n}.tar" for n in ("lines", "other", "part")]
    netrc = tmp_path / "netrc"
    netrc.write_text("machine github.com login me password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert "sources/plain.tar" in carry_sources(Workspace(workspace.paths, workspace.nix), lock, tmp_path)


def test_what_is_too_large_does_not_travel(
    workshop: Workshop, root: Root, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carried, "MAX_BYTES", 10_000)
    for name, size in (("small", 10), ("large", 20_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_bytes(b"#" * size)
    lock = lock_of(workshop, root, workspace, '[packs.small]\npath = "small"\n[packs.large]\npath = "large"\n')
    assert list(carry_sources(workspace, lock, tmp_path)) == ["sources/small.tar"]


def test_nix_alone_says_how_to_get_what_is_too_large(
    workshop: Workshop, root: Root, workspace: Workspace, root_store: NixSettings, tmp_path: Path
) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "__init__.py").write_text(f"# {tmp_path}\n")
    lock = lock_of(workshop, root, workspace, '[packs.large]\npath = "large"\n')
    project = workshop.project(lock)  # in which it does not travel
    path = source_requisite(lock, "large").path

    def build() -> str:
        done = root_store.run("nix-build", project, "--no-out-link", "--attr", "oci")
        return "" if done.returncode == 0 else done.stderr.decode()

    said = build()
    assert "large is missing: the local folder large" in said and "`substituters` in nix.conf" in said
    assert f"    {path}\n" in said
    advice = next(line for line in said.splitlines() if "--add-fixed" in line)
    command = advice.partition("nix-store ")[2].split()
    added = subprocess.run(root_store.command("nix-store", *command), cwd=tmp_path, check=True, capture_output=True)
    assert added.stdout.decode().strip() == path
    assert build() == ""
