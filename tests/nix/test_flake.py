"""The repository's flake: what Nix users get of pycomfy. nixpkgs is a stand-in, of which nothing is built."""

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import image_tag
from pycomfy.adapters.io.atomic_files import write_folder
from pycomfy.adapters.io.download import File, fetch_all
from pycomfy.adapters.io.paths import find_paths
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Root, render_lock
from pycomfy.core.nix.project import ProjectContent, project_files
from pycomfy.errors import NetworkError
from tests.nix.test_image import small_lock
from tests.nix.test_project_flake import DEAD, FEATURES
from tests.support.engines import engine_or_skip
from tests.support.nix_projects import WORKFLOW, Workshop, built
from tests.support.other_nix import Nix, own_nix

ROOT = Path(__file__).parents[2]
STANDIN = Path(__file__).with_name("nixpkgs_standin")
PARTS = ("flake.nix", "flake.lock", "flake", "nix", "pycomfy", "templates", "pyproject.toml", "web")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What of the repository the flake reads, in a folder of its own."""
    folder = tmp_path_factory.mktemp("repository") / "pycomfy"
    folder.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(ROOT / part, folder / part)
    return folder


def call(nix: Nix, settings: NixSettings, folder: Path, *arguments: str, standin: bool = False) -> str:
    """What `nix` prints, called in `folder` without a network; with the stand-in in place of nixpkgs."""
    environment = {**os.environ, **DEAD, "XDG_CACHE_HOME": str(folder.parent / "cache"), "HOME": str(folder.parent)}
    command = nix.command("nix", *settings.options(), *FEATURES, *arguments)
    command += ["--override-input", "nixpkgs", f"path:{STANDIN}"] if standin else []
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def evaluate(settings: NixSettings, expression: str) -> Any:
    command = own_nix().command("nix-instantiate", *settings.options(), "--eval", "--strict", "--json", "--expr")
    done = subprocess.run([*command, expression], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# — the package —


def test_the_package_has_the_wheels_of_uv_lock() -> None:
    made = script("flake_wheels")
    assert made.OUT.read_text() == made.render(), "run .venv/bin/python scripts/flake_wheels.py"


def test_every_dependency_of_pyproject_is_in_the_package_at_a_version_that_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = json.loads((ROOT / "flake" / "wheels.json").read_text())
    assert pins["wheels"].keys() == {"x86_64-linux", "aarch64-linux"}
    assert f"python{pins['python'].replace('.', '')}" in (ROOT / "flake" / "package.nix").read_text()
    for wheels in pins["wheels"].values():
        versions = {name: version for name, version, *_ in (parse_wheel_filename(w["name"]) for w in wheels)}
        for need in map(Requirement, project["dependencies"]):
            assert need.specifier.contains(versions[canonicalize_name(need.name)]), need


def test_nixpkgs_is_pinned_in_the_lock_alone() -> None:
    locked = json.loads((ROOT / "flake.lock").read_text())["nodes"]["nixpkgs"]["locked"]
    assert len(locked["rev"]) == 40 and locked["rev"] not in (ROOT / "flake.nix").read_text()


def find_python() -> str:
    """A Python 3.13."""
    for found in ("python3.13", *map(str, Path.home().glob(".pyenv/versions/3.13.*/bin/python3.13"))):
        with contextlib.suppress(OSError):  # pyenv's may be none
            if subprocess.run([found, "-V"], check=False, capture_output=True).returncode == 0:
                return found
    pytest.skip("no Python 3.13 here")


def test_it_starts_as_the_package_lays_it_out(tmp_path: Path) -> None:
    """The installation of `flake/package.nix`, with another Python of the same version: 3.13."""
    python = find_python()
    wheels = json.loads((ROOT / "flake" / "wheels.json").read_text())["wheels"]["x86_64-linux"]
    try:
        files = fetch_all([File(w["url"], w["sha256"], w["name"], None) for w in wheels], cache=find_paths().cache)
    except NetworkError as e:
        pytest.skip(f"the wheels cannot be had: {e.what}")
    for wheel, file in zip(wheels, files, strict=True):
        (tmp_path / wheel["name"]).symlink_to(file)
    out = tmp_path / "out"
    program = ROOT / "flake" / "install.py"
    names = map(str, sorted(tmp_path.glob("*.whl")))
    subprocess.run([python, "-I", "-B", str(program), str(out), str(ROOT), "/a:/b", *names], check=True)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [out / "bin" / arguments[0], *arguments[1:]], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("pycomfy", "--version").startswith("pycomfy ")
    shown = json.loads(run("pycomfy", "inspect", "--json", str(ROOT / "examples/hello/workflow.json")))
    assert shown
    # What it starts in turn has its packages, too, and it finds its own uv and resources.
    code = (
        "import uv, zstandard; from pycomfy.adapters.nix import resources as r; print(uv.find_uv_bin(), r.nix_folder())"
    )
    uv, folder = run("python", "-I", "-c", code).split()
    assert uv == str(out / "bin/uv") and folder.startswith(str(out)) and (Path(folder) / "default.nix").is_file()


# — the flake —


def test_show_and_check_evaluate_every_output(
    nix: Nix, settings: NixSettings, empty: NixSettings, repository: Path
) -> None:
    store = empty if nix.tree else settings  # 2.8 does not find templates in another store than the machine's
    shown = json.loads(call(nix, store, repository, "flake", "show", "--json", standin=True))
    shown = shown.get("inventory", shown)
    assert shown["packages"]["x86_64-linux"].keys() == {"default"}
    assert {"apps", "checks", "devShells", "formatter", "lib", "nixosModules", "overlays", "templates"} <= shown.keys()
    call(nix, store, repository, "flake", "check", "--no-build", standin=True)


def test_the_overlay_adds_pycomfy(settings: NixSettings, repository: Path) -> None:
    expression = f"""
      let
        pkgs = (import {STANDIN}/flake.nix).outputs {{ self = null; }};
        flake = (import {repository}/flake.nix).outputs {{ self = null; nixpkgs = pkgs; }};
        final = pkgs.legacyPackages.aarch64-linux;
        made = (flake.overlays.default final null).pycomfy;
      in {{
        inherit (made) name;
        wheels = map (w: w.name) made.wheels;
        inherit (made.meta) mainProgram;
        studio = made.studio.outPath;
        inherit (made.drvAttrs) installPhase;
      }}
    """
    made = evaluate(settings, expression)
    assert made["name"].startswith("pycomfy-") and made["mainProgram"] == "pycomfy"
    pins = json.loads((ROOT / "flake" / "wheels.json").read_text())
    assert made["wheels"] == [wheel["name"] for wheel in pins["wheels"]["aarch64-linux"]]
    assert f"cp -r {made['studio']} pycomfy/server/static/studio" in made["installPhase"]


def test_the_package_of_the_page_has_every_npm_package_with_its_address_and_hash(
    settings: NixSettings, repository: Path
) -> None:
    """What nixpkgs' `importNpmLock` reads; npm's own names say where they are."""
    expression = f"""
      let pkgs = ((import {STANDIN}/flake.nix).outputs {{ self = null; }}).legacyPackages.x86_64-linux;
      in (import {repository}/flake/studio.nix {{
        inherit (pkgs) buildNpmPackage importNpmLock;
        version = "1";
      }}).npmDeps.lock
    """
    packages = json.loads(evaluate(settings, expression))["packages"]
    assert packages[""].get("resolved") is None
    others = [one for path, one in packages.items() if path and not one.get("inBundle")]
    assert all(one["integrity"].startswith("sha512-") for one in others)
    react, scoped = packages["node_modules/react"], packages["node_modules/@xyflow/react"]
    assert react["resolved"].endswith(f"/react/-/react-{react['version']}.tgz")
    assert scoped["resolved"].endswith(f"/@xyflow/react/-/react-{scoped['version']}.tgz")


# — an image of a user's folder —


def image_of(settings: NixSettings, repository: Path, folder: Path, *more: str) -> str:
    arguments = " ".join(more)
    expression = (
        f'(import {repository}/flake/image.nix {{ project = {folder}; system = "x86_64-linux"; {arguments} }}).oci'
    )
    command = settings.command("nix-build", "--no-out-link", "--expr", expression)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else done.stderr


def test_the_image_of_a_locked_folder_is_that_of_its_project(
    settings: NixSettings, workshop: Workshop, root: Root, repository: Path
) -> None:
    lock = small_lock(workshop, root)
    project = workshop.folder / "project"
    write_folder(project, project_files(ProjectContent(lock, WORKFLOW), read_toolkit()))
    folder = workshop.folder / "folder"
    folder.mkdir()
    (folder / "portrait.json").write_bytes(WORKFLOW)
    (folder / "other.json").write_bytes(b"{}")
    another = lock.workflow.model_copy(update={"sha256": "0" * 64})
    (folder / "pycomfy.lock").write_text(render_lock(lock.model_copy(update={"workflow": another})))
    (folder / "portrait.lock").write_text(render_lock(lock))
    made = image_of(settings, repository, folder, 'workflow = "portrait.json";')
    assert made == str(built(workshop, project, attribute="oci"))
    # The project itself has its prompt, too.
    with_prompt = workshop.project(lock, "with-prompt")
    assert image_of(settings, repository, with_prompt) == str(built(workshop, with_prompt, attribute="oci"))

    assert "other.json has changed since pycomfy.lock" in image_of(
        settings, repository, folder, 'workflow = "other.json";'
    )
    assert "has no workflow.json: name the file" in image_of(settings, repository, folder)
    (folder / "pycomfy.lock").unlink()
    assert "other.json is not locked" in image_of(settings, repository, folder, 'workflow = "other.json";')


def test_local_packs_and_wheels_of_the_folder_need_no_step_before(
    settings: NixSettings, workshop: Workshop, root: Root, repository: Path, root_store: NixSettings
) -> None:
    there = workshop.with_settings(root_store)
    lock = small_lock(workshop, root)  # its pack is in the machine's store, not in this one
    pins = lock.platforms["linux/amd64"]
    one, *others = pins.wheels
    folder = workshop.folder / "folder"
    folder.mkdir()
    (folder / "wheels").mkdir()
    (workshop.folder / one.filename).rename(folder / "wheels" / one.filename)
    shutil.copytree(workshop.folder / "greeter", folder / "greeter")
    for stray in (".git/HEAD", "__pycache__/x.pyc", "data/y.pyc"):
        (folder / "greeter" / stray).parent.mkdir(exist_ok=True)
        (folder / "greeter" / stray).write_text("stray")
    near = pins.model_copy(update={"wheels": (one.model_copy(update={"url": f"wheels/{one.filename}"}), *others)})
    lock = lock.model_copy(update={"platforms": {"linux/amd64": near}})
    (folder / "workflow.json").write_bytes(WORKFLOW)
    (folder / "pycomfy.lock").write_text(render_lock(lock))
    made = image_of(there.settings, repository, folder)
    assert made.endswith("-oci-small-amd64"), made
    assert read_layout(root_store.local_path(made)).layer_names[-2] == "pack-greeter"
    (folder / "greeter" / "__init__.py").write_text("changed = True\n")
    assert "pycomfy.lock: greeter has changed since: `pycomfy lock`" in image_of(there.settings, repository, folder)


def test_the_template_is_a_folder_that_builds(
    nix: Nix, settings: NixSettings, workshop: Workshop, root: Root, repository: Path, root_store: NixSettings
) -> None:
    store = root_store if nix.tree else settings
    folder = workshop.folder / "mine"
    folder.mkdir()
    call(nix, store, folder, "flake", "init", "--template", f"path:{repository}")
    assert {path.name for path in folder.iterdir()} >= {"flake.nix", "workflow.json", "README.md", ".gitignore"}
    # `pycomfy lock` would write this; its own tests do.
    there = workshop.with_settings(store)
    (folder / "workflow.json").write_bytes(WORKFLOW)
    (folder / "pycomfy.lock").write_text(render_lock(small_lock(there, root)))
    call(nix, store, folder, "build", "--out-link", "made", "--override-input", "pycomfy", f"path:{repository}")
    image = read_layout(store.local_path(str((folder / "made").readlink())))
    config = json.loads(image.blob(image.config_digest).read_text())
    assert config["config"]["Labels"]["org.opencontainers.image.title"] == "small"


# — the NixOS module —

MODULE = """
  let
    lib = import {standin}/lib.nix;
    pkgs = ((import {standin}/flake.nix).outputs {{ self = null; }}).legacyPackages.x86_64-linux;
    made = lib.evalModule {{
      module = import {root}/flake/module.nix;
      inherit pkgs;
      services = {services};
      more = {{ hardware.nvidia-container-toolkit.enable = {cdi}; }};
    }};
  in {{ inherit (made) assertions; units = made.systemd.services; ports = made.networking.firewall.allowedTCPPorts; }}
"""


def module(settings: NixSettings, services: str, *, cdi: bool = True) -> Any:
    text = MODULE.format(standin=STANDIN, root=ROOT, services=services, cdi="true" if cdi else "false")
    return evaluate(settings, text)


def test_a_version_is_a_service_with_gpu_models_keys_state_and_firewall(settings: NixSettings) -> None:
    made = module(
        settings,
        """{
          portrait = {
            flake.apps.x86_64-linux.load.program = "/nix/store/x/load";
            address = "0.0.0.0"; port = 9000; openFirewall = true;
            gpus = [ "all" ]; models = "/srv/models"; apiKeysFile = "/run/keys/p";
            environment.PYCOMFY_RATE_LIMIT = "5"; memory = "32g";
          };
          plain.load = "/load";
          off = { enable = false; load = "/load"; };
        }""",
    )
    assert made["units"].keys() == {"pycomfy-portrait", "pycomfy-plain"} and made["ports"] == [9000]
    assert all(one["assertion"] for one in made["assertions"])
    unit = made["units"]["pycomfy-portrait"]
    assert unit["serviceConfig"]["StateDirectory"] == "pycomfy/portrait"
    assert unit["serviceConfig"]["LoadCredential"] == "keys:/run/keys/p"
    for argument in (
        "--publish=0.0.0.0:9000:8000",
        "--device=nvidia.com/gpu=all",
        "--volume=/srv/models:/models:ro",
        "--volume=/var/lib/pycomfy/portrait:/data:U",
        "--env=PYCOMFY_API_KEYS_FILE=/run/pycomfy/keys",
        "--env=PYCOMFY_RATE_LIMIT=5",
        "--memory=32g",
        "--read-only",
        "--cap-drop=all",
    ):
        assert f"'{argument}'" in unit["script"], argument
    plain = made["units"]["pycomfy-plain"]
    assert "'--publish=127.0.0.1:8000:8000'" in plain["script"]
    assert (
        not any(word in plain["script"] for word in ("gpu", "/models", "keys"))
        and "LoadCredential" not in plain["serviceConfig"]
    )


def test_what_cannot_work_is_said_before_the_system_is_built(settings: NixSettings) -> None:
    made = module(settings, '{ a = { load = "/load"; gpus = [ "0" ]; openFirewall = true; }; }', cdi=False)
    messages = [one["message"] for one in made["assertions"] if not one["assertion"]]
    assert ["nvidia-container-toolkit" in messages[0], "0.0.0.0" in messages[1]] == [True, True]


def test_its_script_starts_the_container(settings: NixSettings, tmp_path: Path) -> None:
    """With programs that write down how they were called, in place of the image's and of Podman."""
    load, podman, said = tmp_path / "load it", tmp_path / "podman", tmp_path / "said"
    load.write_text("#!/bin/sh\necho localhost/pycomfy/small:latest abc123\n")
    podman.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{said}\n')
    for program in (load, podman):
        program.chmod(0o755)
    made = module(settings, f"""{{ small = {{ load = "{load}"; environment.X = "it's 5 %"; }}; }}""")
    text = made["units"]["pycomfy-small"]["script"]
    store_podman = next(word.strip("'") for word in text.split() if word.endswith("/bin/podman'"))
    subprocess.run(["bash", "-euc", text.replace(store_podman, str(podman))], check=True)
    words = said.read_text().splitlines()
    assert words[0] == "run" and words[-2:] == ["abc123", "serve"] and "--env=X=it's 5 %" in words


def test_its_container_runs_with_podman(settings: NixSettings, workshop: Workshop, root: Root, tmp_path: Path) -> None:
    """What systemd does is done here: folders, credentials, and no one to be told that it is ready."""
    engine = engine_or_skip()
    if engine.kind != "podman" or os.geteuid() != 0:
        pytest.skip("systemd would run Podman as root")
    project = workshop.project(small_lock(workshop, root))
    load = built(workshop, project, attribute="programs.load")
    code = "open('/data/made', 'w').write(open('/run/pycomfy/keys').read())"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    made = module(
        settings,
        f"""{{ small = {{
          load = "{load}"; port = {port}; apiKeysFile = "/keys"; command = [ "-c" "{code}" ];
          extraOptions = [ "--entrypoint=/opt/venv/bin/python" "--ulimit=nofile=4096:4096" "--ulimit=nproc=4096:4096" ];
        }}; }}""",
    )
    text = made["units"]["pycomfy-small"]["script"]
    podman = shutil.which("podman")
    assert podman is not None
    state, runtime, credentials = (tmp_path / name for name in ("state", "runtime", "credentials"))
    for folder in (state, runtime, credentials):
        folder.mkdir()
    (credentials / "keys").write_text("ann:secret")
    (credentials / "keys").chmod(0o400)
    for old, new in {
        next(word.strip("'") for word in text.split() if word.endswith("/bin/podman'")): podman,
        "/var/lib/pycomfy/small": str(state),
        "/run/pycomfy-small": str(runtime),
        "'--cgroups=split'": "",
        "'--sdnotify=conmon'": "",
        "'--log-driver=passthrough'": "",
        "'--detach'": "",
        "--name=pycomfy-small": f"--name=pycomfy-{tmp_path.name}",
    }.items():
        text = text.replace(old, new)
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(credentials)}
    done = subprocess.run(["bash", "-euc", text], env=environment, check=False, capture_output=True, text=True)
    try:
        assert done.returncode == 0, done.stderr
        assert (state / "made").read_text() == "ann:secret" and (state / "made").stat().st_uid == 1000
    finally:
        subprocess.run(engine.command("rmi", "--force", image_tag("small")), check=False, capture_output=True)
