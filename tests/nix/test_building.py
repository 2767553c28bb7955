"""Packages without wheels are built while all is resolved: what they need counts, and nothing is built twice."""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.debian.packages import read_releases
from pycomfy.adapters.debian.rootfs import pin_root
from pycomfy.adapters.io.download import keep_file
from pycomfy.adapters.io.paths import Paths, find_paths
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.python.nix_build import can_build
from pycomfy.adapters.python.simple_index import list_sdists
from pycomfy.adapters.python.uv_request import ResolutionRequest
from pycomfy.adapters.sources.sdist import pin_sdist
from pycomfy.core.lockfile.config import Config, parse_config
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Root, Wheel, parse_lock
from pycomfy.core.python.requirements import make_requirement_set
from pycomfy.core.python.wheel_selection import Target, choose_wheels
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.url import UrlSource
from pycomfy.errors import MissingTool, NetworkError, NoMatchingDistribution, PycomfyError, ResolutionImpossible
from pycomfy.operation import Operation
from pycomfy.services.lock.lock import lock
from pycomfy.services.lock.outdated_notes import note_outdated
from pycomfy.services.lock.python_sdists import SdistResolution, resolve_with_sdists
from pycomfy.services.lock.wheel_builder import BuildContext, WheelBuilder
from pycomfy.services.lock_request import LockRequest
from pycomfy.services.workspace import Workspace
from tests.support.operations import Recorder
from tests.support.package_index import Index, serve
from tests.support.repositories import commit
from tests.support.saved_nodes import saved_nodes

AS_OF = datetime(2025, 6, 1, tzinfo=UTC)
AMD: PlatformName = "linux/amd64"

# A build backend that lies in the source; `about.json` says what the wheel is and needs.
BACKEND = """
import json, os, subprocess, sysconfig, zipfile
about = json.loads(open("about.json").read())
def get_requires_for_build_wheel(config_settings=None):
    return about.get("asks", [])
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name, version, tag = about["name"], about["version"], about.get("tag", "py3-none-any")
    if about.get("fails"):
        print("it rains")
        raise SystemExit("no umbrella")
    for module in about.get("imports", []):
        __import__(module)
    with zipfile.ZipFile(os.path.join(folder, f"{name}-{version}-{tag}.whl"), "w") as z:
        info = f"{name}-{version}.dist-info"
        z.writestr(f"{name}.py", "x = 1\\n")
        if "c" in about:
            paths = sysconfig.get_paths()
            command = ["x86_64-linux-gnu-gcc", "-shared", "-fPIC", "-O2", f"-I{paths['include']}", about["c"]]
            try:
                subprocess.run([*command, "-o", "made.so"], check=True)
                z.write("made.so", f"{name}_c.abi3.so")
            except OSError as e:
                if not about.get("optional"):
                    raise
                print(e)
        needs = "".join(f"Requires-Dist: {need}\\n" for need in about.get("needs", []))
        z.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n{needs}")
        z.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {tag}\\n")
        z.writestr(f"{info}/RECORD", "")
    return f"{name}-{version}-{tag}.whl"
"""


def pieces(name: str, version: str, requires: Sequence[str] = (), **about: object) -> dict[str, str]:
    system = (
        f'[build-system]\nrequires = {json.dumps(list(requires))}\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    text = json.dumps({"name": name, "version": version, **about})
    return {"pyproject.toml": system, "backend.py": BACKEND, "about.json": text}


def pack(files: dict[str, str], top: str = "x-1") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{top}/{path}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return data.getvalue()


@dataclass
class Bench:
    """A data folder, an index, and a Debian to build in."""

    paths: Paths
    index: Index
    root: Root
    base: Path
    config: Config = field(default_factory=Config)
    nix: NixSettings = field(default_factory=NixSettings)
    steps: Recorder = field(default_factory=Recorder)

    def question(self, *lines: str, where: str = "requirements.txt line 1") -> ResolutionRequest:
        return ResolutionRequest([make_requirement_set("pack x", lines, where)], Target(AMD, "3.11"), AS_OF)

    def builder(self) -> WheelBuilder:
        place = BuildContext(self.config, AS_OF, DEFAULT_INDEXES, self.base, self.pin)
        return WheelBuilder(place, Workspace(self.paths, self.nix))

    def solve(self, *lines: str, where: str = "requirements.txt line 1") -> tuple[SdistResolution, dict[str, Wheel]]:
        """What was found, and the wheels by name."""
        found = resolve_with_sdists(self.question(*lines, where=where), self.builder())
        wheels = choose_wheels(found.pylock, AMD, "3.11")
        return found, {w.name: found.find_made(w) or w for w in wheels}

    def pin(self, platform: PlatformName, more: Sequence[str]) -> Root:
        if not more:
            return self.root
        config = Config(apt=tuple(more))
        return pin_root(config, platform, find_paths(), read_releases(config))

    def read(self, wheel: Wheel) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.paths.cache / "sha256" / wheel.sha256[:2] / wheel.sha256)


@pytest.fixture
def bench(tmp_path: Path, root: Root, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with serve() as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        index.add("base", "1.0")
        index.add("base", "2.0")
        made = Bench(Paths(tmp_path / "home", tmp_path / "cache"), index, root, tmp_path)
        with Operation(made.steps).running():
            yield made


def test_the_newest_source_that_everybody_accepts_is_built_and_what_it_needs_counts(bench: Bench) -> None:
    for version, uploaded in (
        ("1.0", "2025-01-01"),
        ("1.5", "2025-02-01"),
        ("2.0", "2025-03-01"),
        ("1.9", "2026-01-01"),
    ):
        data = pack(pieces("only", version, ["base<2"], needs=["base<2"], imports=["base"]))
        bench.index.put("only", f"only-{version}.tar.gz", data, f"{uploaded}T00:00:00Z")
    bench.index.add("user", "1.0", needs=["only<2"])
    bench.index.add("base", "1.0", files=[("base.py", "")])
    found, wheels = bench.solve("user", "only>=1")
    only = wheels["only"]
    assert (only.version, wheels["base"].version, sorted(found.made)) == ("1.5", "1.0", ["only"])
    assert only.built is not None and [w.filename for w in only.built.requires] == ["base-1.0-py3-none-any.whl"]
    assert isinstance(only.built.source, UrlSource) and only.built.source.name == "only-1.5.tar.gz"
    assert only.url == only.built.source.url and only.url.startswith(bench.index.url.removesuffix("/simple"))
    with bench.read(only) as z:
        assert z.read("only.py") == b"x = 1\n"


def test_nothing_is_built_twice_nor_needs_nix_then(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.index.put("only", "only-1.0.tar.gz", pack(pieces("only", "1.0", asks=["base<2"])))
    first = bench.solve("only")[1]
    assert first["only"].built is not None
    assert [w.version for w in first["only"].built.requires] == ["1.0"], "what the build asked for when it ran"
    assert bench.steps.begun.count("Build wheels") == 2
    assert bench.steps.done[-2:] == ["only 1.0 needs base<2", "only 1.0"], "no failure to the user"
    monkeypatch.setattr("pycomfy.adapters.io.process.INSTALL", {})
    monkeypatch.setenv("PATH", "/nowhere")
    assert bench.solve("only")[1] == first
    assert bench.steps.begun.count("Build wheels") == 2


def test_a_package_of_a_git_repository_is_built_at_its_commit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bench.base / "repositories" / "owner" / "demo"
    made = commit(folder, {f"python/{path}": text for path, text in pieces("named", "3", needs=["base<2"]).items()})
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{folder.parents[1].as_uri()}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://git.test/")
    _, wheels = bench.solve("git+https://me:secret@git.test/owner/demo@main#subdirectory=python", "named>=2")
    named = wheels["named"]
    assert (named.version, wheels["base"].version) == ("3", "1.0")
    assert named.built is not None and named.built.subdirectory == "python"
    assert isinstance(named.built.source, GitSource) and named.built.source.commit == made
    assert named.url == named.built.source.url == "https://git.test/owner/demo"


def test_sources_and_wheels_at_addresses_of_the_user_s_own(bench: Bench) -> None:
    there = bench.index.url.removesuffix("/simple") + "/files"
    bench.index.contents["some-main.tar.gz"] = pack(pieces("some", "1.0"))
    bench.index.contents["other-1.0-py3-none-any.whl"] = bench.index.contents["base-1.0-py3-none-any.whl"]
    found, wheels = bench.solve(
        f"{there}/some-main.tar.gz", f"base @ {there}/base-1.0-py3-none-any.whl", where="pycomfy.toml"
    )
    assert sorted(found.made) == ["base", "some"]
    assert (wheels["some"].version, wheels["base"].version) == ("1.0", "1.0")
    assert wheels["base"].built is None and wheels["base"].url == f"{there}/base-1.0-py3-none-any.whl"


def test_a_package_has_the_name_by_which_it_is_asked_for(bench: Bench) -> None:
    there = bench.index.url.removesuffix("/simple") + "/files"
    with pytest.raises(ResolutionImpossible, match="the package there is base, and not other"):
        bench.solve(f"other @ {there}/base-1.0-py3-none-any.whl", where="pycomfy.toml")
    assert "base" in bench.solve(f"Base @ {there}/base-1.0-py3-none-any.whl", where="pycomfy.toml")[1]


def test_a_package_is_in_one_place(bench: Bench) -> None:
    there = bench.index.url.removesuffix("/simple") + "/files"
    for number in (1, 2):
        bench.index.contents[f"some-{number}.tar.gz"] = pack(pieces("some", f"{number}.0"))
    with pytest.raises(ResolutionImpossible, match="some is required from two different locations"):
        bench.solve(f"{there}/some-1.tar.gz", f"{there}/some-2.tar.gz", where="pycomfy.toml")


def test_a_table_in_pycomfy_toml_builds_what_has_wheels_too(bench: Bench) -> None:
    bench.config = parse_config('[wheels.Base]\nrequires = ["tool"]\n')
    bench.index.add("tool", "1.0", files=[("tool.py", "")])
    bench.index.put("base", "base-2.0.tar.gz", pack(pieces("base", "2.0", imports=["tool"])))
    found, wheels = bench.solve("base")
    assert wheels["base"].version == "2.0" and wheels["base"].built is not None and sorted(found.made) == ["base"]


def test_a_table_that_does_nothing_is_told(bench: Bench) -> None:
    bench.config = parse_config("[wheels.Nothing]\n[wheels.base]\n")
    bench.index.put("base", "base-2.0.tar.gz", pack(pieces("base", "2.0")))
    builder = bench.builder()
    resolve_with_sdists(bench.question("base"), builder)
    (note,) = builder.note_unused()
    assert note.startswith("[wheels.nothing] in pycomfy.toml does nothing")


def test_a_build_needs_packages_that_have_wheels(bench: Bench) -> None:
    bench.index.put("tool", "tool-1.0.tar.gz", b"x")
    bench.index.put("only", "only-1.0.tar.gz", pack(pieces("only", "1.0", ["tool"])))
    with pytest.raises(NoMatchingDistribution, match=r"tool==1\.0 has no wheel") as e:
        bench.solve("only")
    assert "building only 1.0 requires tool" in e.value.where and "[wheels.only] requires" in e.value.fix


def test_an_old_wheel_that_newer_sources_follow_is_told(bench: Bench) -> None:
    bench.index.add("old", "1.0", uploaded="2021-01-01T00:00:00Z")
    bench.index.add("fine", "1.0", uploaded="2021-01-01T00:00:00Z")
    for version in ("1.5", "2.0", "3.0a1"):
        bench.index.put("old", f"old-{version}.tar.gz", b"x", "2022-01-01T00:00:00Z")

    def told(*lines: str) -> list[str]:
        found, wheels = bench.solve(*lines)
        return note_outdated(Workspace(bench.paths), bench.question(*lines), found.pylock, list(wheels.values()))

    (note,) = told("old", "fine", "base")
    assert "old 1.0 of 2021" in note and "up to 2.0" in note and "[wheels.old]" in note
    assert told("old<1.5", "fine") == []
    assert "up to 1.5" in told("old<2")[0]


def test_an_old_wheel_is_told_that_newer_ones_require_a_source_for(bench: Bench) -> None:
    bench.index.add("old", "1.0", uploaded="2021-01-01T00:00:00Z")
    bench.index.add("old", "2.0", needs=["filter"], uploaded="2023-01-01T00:00:00Z")
    bench.index.put("filter", "filter-1.4.tar.gz", pack(pieces("filter", "1.4")), "2022-01-01T00:00:00Z")
    bench.index.add("held", "1.0", uploaded="2021-01-01T00:00:00Z")
    bench.index.add("held", "2.0", needs=["base>7"], uploaded="2023-01-01T00:00:00Z")

    def told(*lines: str) -> list[str]:
        found, wheels = bench.solve(*lines)
        locked = list(wheels.values())
        return note_outdated(Workspace(bench.paths), bench.question(*lines), found.pylock, locked, found.made)

    (note,) = told("old", "held", "base")
    assert "old 1.0 of 2021" in note and "up to 2.0, require filter" in note and note.endswith(": [wheels.filter]")
    assert told("old<2") == told("old==1.0") == []
    bench.config = parse_config("[wheels.filter]\n")
    _, wheels = bench.solve("old")
    assert wheels["old"].version == "2.0" and wheels["filter"].built is not None


def test_a_build_that_fails_shows_who_requires_it_what_it_printed_and_its_fixes(bench: Bench) -> None:
    bench.index.put("only", "only-1.0.tar.gz", pack(pieces("only", "1.0", fails=True)))
    with pytest.raises(NoMatchingDistribution) as e:
        bench.solve("only")
    assert "only 1.0 exists as source only" in e.value.what
    assert "pack x requires only (requirements.txt line 1)" in e.value.where and "it rains" in e.value.details
    assert "[wheels.only]" in e.value.fix and 'overrides = ["only==…"]' in e.value.fix


def test_a_build_that_imports_what_it_does_not_declare_is_fixed_by_a_line(bench: Bench) -> None:
    bench.index.put("only", "only-1.0.tar.gz", pack(pieces("only", "1.0", imports=["yaml"])))
    with pytest.raises(NoMatchingDistribution) as e:
        bench.solve("only")
    assert '[wheels.only] requires = ["pyyaml"]' in e.value.fix


def test_without_a_sandbox_nothing_is_built(bench: Bench) -> None:
    bench.nix = NixSettings(sandbox=False)
    bench.index.put("only", "only-1.1.tar.gz", pack(pieces("only", "1.1")))
    with pytest.raises(MissingTool, match="needs Nix's sandbox") as e:
        bench.solve("only")
    assert "sandbox = true" in e.value.fix


def test_what_exists_in_no_form_is_told_as_before(bench: Bench) -> None:
    bench.index.add("windows", "1.0", tags=["cp311-cp311-win_amd64"])
    with pytest.raises(NoMatchingDistribution, match="there are wheels for win_amd64"):
        bench.solve("windows")


C = """
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *unused) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, 0}, {0, 0, 0, 0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast_c", 0, -1, methods};
PyMODINIT_FUNC PyInit_fast_c(void) { return PyModule_Create(&module); }
"""


@pytest.mark.parametrize("optional", [False, True])
def test_an_extension_in_c_gets_a_compiler_when_it_turns_out_to_need_one(bench: Bench, optional: bool) -> None:
    about: dict[str, Any] = {"c": "fast.c", "optional": optional, "tag": "cp311-cp311-linux_x86_64"}
    files = {**pieces("fast", "1.0", **about), "fast.c": C}
    bench.index.put("fast", "fast-1.0.tar.gz", pack(files))
    try:
        fast = bench.solve("fast")[1]["fast"]
    except PycomfyError as e:
        if e.code == "unreachable":
            pytest.skip(f"no Debian archive: {e.what}")
        raise
    assert fast.built is not None and fast.built.compiler and fast.filename == "fast-1.0-cp311-cp311-linux_x86_64.whl"
    with bench.read(fast) as z:
        assert z.read("fast_c.abi3.so").startswith(b"\x7fELF")
        assert str(bench.base).encode() not in z.read("fast_c.abi3.so")


def test_a_wheel_for_every_platform_that_does_without_a_compiler_is_told(bench: Bench) -> None:
    files = {**pieces("slow", "1.0", c="fast.c", optional=True), "fast.c": C}
    bench.index.put("slow", "slow-1.0.tar.gz", pack(files))
    for _ in range(2):
        builder = bench.builder()
        found = resolve_with_sdists(bench.question("slow"), builder)
        assert found.made["slow"].built is not None and not found.made["slow"].built.compiler
        assert "below [wheels.slow] in pycomfy.toml: compiler = true" in builder.notes["slow"]


def test_a_wheel_file_is_kept_by_its_hash(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    path, sha256 = keep_file(tmp_path / "x", tmp_path / "cache")
    assert path.read_bytes() == b"x" and path.name == sha256


def test_what_is_compiled_for_another_kind_of_machine_is_told_before_long(bench: Bench) -> None:
    if can_build(bench.nix, "linux/arm64"):
        pytest.skip("this machine runs programs of arm64")
    bench.index.put("fast", "fast-1.0.tar.gz", pack(pieces("fast", "1.0", tag="cp311-cp311-linux_x86_64")))
    unbuilt = pin_sdist(
        "fast",
        list_sdists("fast", (bench.index.url,), Target(AMD, "3.11"), AS_OF)[0],
        "pack x requires fast",
        bench.paths,
    )
    with pytest.raises(NoMatchingDistribution, match="has to be compiled for linux/arm64") as e:
        bench.builder().make(unbuilt, "linux/arm64")
    assert e.value.where == "pack x requires fast" and 'platforms = ["linux/amd64"]' in e.value.fix


def test_a_real_package_without_wheels_is_the_same_on_another_cache(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    try:
        found, wheels = bench.solve("omegaconf==2.3.0")
    except NetworkError as e:
        pytest.skip(f"no Python index: {e.what}")
    runtime = wheels["antlr4-python3-runtime"]
    assert runtime.version == "4.9.3" and runtime.built is not None
    assert [w.name for w in runtime.built.requires] == ["setuptools", "wheel"]
    assert not runtime.built.compiler and found.made == {"antlr4-python3-runtime": runtime}
    bench.paths = Paths(tmp_path / "home2", tmp_path / "cache2")
    assert bench.solve("omegaconf==2.3.0")[1] == wheels


def test_a_workflow_whose_pack_wants_a_git_repository_is_locked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forge = tmp_path / "forge"
    made = commit(forge / "owner" / "demo", pieces("named", "3", needs=["base<2"]))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{forge.as_uri()}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://git.test/")
    folder = tmp_path / "hello"
    code = "class X: pass\nNODE_CLASS_MAPPINGS = {'X': X}\n"
    for name, files in {
        "ComfyUI": {"nodes.py": code.replace("X", "SaveImage"), "requirements.txt": "base\n"},
        "greeter": {"__init__.py": code, "requirements.txt": "base\ngit+https://git.test/owner/demo\n"},
    }.items():
        for path, text in files.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / path).write_text(text)
    top = 'as-of = 2025-06-01\nplatforms = ["linux/amd64"]\n'
    (folder / "pycomfy.toml").write_text(f'{top}[comfyui]\npath = "ComfyUI"\n[packs.greeter]\npath = "greeter"\n')
    nodes = saved_nodes(("X", "SaveImage"))
    (folder / "workflow.json").write_text(json.dumps({"version": 0.4, "nodes": nodes, "links": []}))
    try:
        locked = lock(Workspace(Paths(tmp_path / "data", find_paths().cache)), LockRequest(folder))
    except NetworkError as e:
        pytest.skip(f"no Debian archive: {e.what}")
    wheels = {w.name: w for w in locked.lock.platforms[AMD].wheels}
    named = wheels["named"].built
    assert sorted(wheels) == ["base", "named"] and wheels["base"].version == "1.0"
    assert named is not None and isinstance(named.source, GitSource) and named.source.commit == made
    text = locked.path.read_text()
    assert str(tmp_path) not in text and parse_lock(text) == locked.lock
    built = bench.steps.begun.count("Build wheels")
    again = lock(Workspace(Paths(tmp_path / "data", find_paths().cache)), LockRequest(folder))
    assert not again.changed and bench.steps.begun.count("Build wheels") == built
