"""Wheels are built from source in a sandbox: the same bytes each time, and what strangers' code tries there fails."""

import hashlib
import io
import json
import secrets
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.build import BuildTarget, build, evaluate
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.python.nix_build import build_recipe
from pycomfy.core.lockfile.schema import Lock, Root, Wheel, WheelBuild
from pycomfy.core.nix.bootstrap import find_bootstrap
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.core.nix.narinfo import narinfo_name
from pycomfy.core.nix.project import ProjectContent, project_files
from pycomfy.core.python.build_recipe import BuildRecipe
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.url import UrlSource
from pycomfy.errors import BuildFailed
from pycomfy.services.archive.restore_image import restore_image
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import build_and_record, new_paths
from tests.support.nix_projects import WORKFLOW, Workshop

# A build backend of its own: a wheel whose module says what the build could see of the world.
BACKEND = """
import json, os, socket, zipfile
def attempt(what):
    try:
        return repr(what())
    except Exception as e:
        return type(e).__name__
def build_wheel(folder, config_settings=None, metadata_directory=None):
    here = json.loads(open("attempts.json").read())
    seen = {name: attempt(lambda: eval(text)) for name, text in here.items()}
    print("seen " + json.dumps(seen))
    name = "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as z:
        z.writestr("demo.py", "seen = " + json.dumps(seen) + "\\n")
        z.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n")
        z.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        z.writestr("demo-1.0.dist-info/RECORD", "")
    return name
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def sdist(workshop: Workshop, files: dict[str, str], name: str = "demo") -> UrlSource:
    """A source distribution of `files`, served."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}-1.0/{path}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    file = workshop.folder / f"{name}-1.0.tar.gz"
    file.write_bytes(data.getvalue())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return UrlSource(url=f"{workshop.address}/{file.name}", sha256=digest, name=file.name)


def built(
    workshop: Workshop, root: Root, source: UrlSource, requires: tuple[Wheel, ...] = (), name: str = "demo"
) -> Path:
    recipe = BuildRecipe(name, "1.0", "linux/amd64", "3.11", WheelBuild(source=source, requires=requires), root)
    paths = Paths(workshop.folder / "home", workshop.folder / "cache")
    return build_recipe(recipe, paths, workshop.settings, workshop.folder / "log", lambda e: None)


def attempts(workshop: Workshop, root: Root, **tries: str) -> dict[str, str]:
    files = {"pyproject.toml": PYPROJECT, "backend.py": BACKEND, "attempts.json": json.dumps(tries)}
    wheel = built(workshop, root, sdist(workshop, {**files, "salt": secrets.token_hex(8)}))
    with zipfile.ZipFile(wheel) as z:
        seen: dict[str, str] = json.loads(z.read("demo.py").decode().removeprefix("seen = "))
    return seen


def test_a_build_reaches_no_network_and_sees_nothing_of_the_machine(workshop: Workshop, root: Root) -> None:
    host, port = workshop.address.removeprefix("http://").split(":")
    seen = attempts(
        workshop,
        root,
        network=f"socket.create_connection(('{host}', {port}), 5)",
        names="socket.getaddrinfo('localhost.localdomain.test', 80)",
        secret=f"os.listdir({str(workshop.folder)!r})",
        homes="os.listdir('/root') + os.listdir('/home')",
        store="os.listdir('/nix/store')",
        processes="sorted(p for p in os.listdir('/proc') if p.isdigit())",
        system="open('/usr/x', 'w')",
        shell="os.system('id -u >/build/tmp/x') or open('/build/tmp/x').read()",
        python="__import__('subprocess').run([__import__('sys').executable, '-c', 'print(1)'], check=True).returncode",
    )
    assert seen["network"] == "OSError" or "Refused" in seen["network"]
    assert seen["names"] == "gaierror"
    assert {seen["secret"], seen["homes"], seen["store"]} == {"FileNotFoundError"}
    assert seen["processes"] == "['1']"
    assert seen["system"] in ("PermissionError", "OSError")
    assert seen["shell"] == repr("1000\n") and seen["python"] == "0"


def pieces(**more: str) -> dict[str, str]:
    return {"pyproject.toml": PYPROJECT, "backend.py": BACKEND, "attempts.json": "{}", **more}


def test_a_wheel_depends_on_its_contents_alone(workshop: Workshop, root: Root) -> None:
    one = built(workshop, root, sdist(workshop, pieces(salt=secrets.token_hex(8))))
    two = built(workshop, root, sdist(workshop, pieces(salt=secrets.token_hex(8))))
    assert one != two and one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as z:
        assert {(info.date_time[0], info.compress_type) for info in z.infolist()} == {(1980, zipfile.ZIP_STORED)}
        assert (
            z.namelist()[-1] == "demo-1.0.dist-info/RECORD" and "demo.py,sha256=" in z.read(z.namelist()[-1]).decode()
        )


def test_a_build_without_a_sandbox_is_refused(workshop: Workshop, root: Root) -> None:
    careless = workshop.with_settings(NixSettings(sandbox=False))
    with pytest.raises(BuildFailed, match=r"Nix builds without its sandbox.*sandbox = true"):
        built(careless, root, sdist(workshop, pieces(salt=secrets.token_hex(8))))


def test_a_failing_build_shows_what_it_printed(workshop: Workshop, root: Root) -> None:
    broken = BACKEND.replace("import json, os", "print('it rains'); import json, os, umbrella")
    with pytest.raises(BuildFailed, match="backend cannot be imported: No module named 'umbrella'") as e:
        built(workshop, root, sdist(workshop, pieces(**{"backend.py": broken})))
    assert "it rains" in e.value.details


# — a lock with a wheel that was built —


def built_wheel(workshop: Workshop, root: Root) -> Wheel:
    """A wheel of the lock, and its recipe: its source is served, and a package that builds."""
    tool = workshop.wheel("tool", {"tool.py": b"answer = 42\n"})
    text = BACKEND.replace("import json, os", "import tool; assert tool.answer == 42\nimport json, os")
    source = sdist(workshop, pieces(salt=secrets.token_hex(8), **{"backend.py": text}))
    file = built(workshop, root, source, (tool,))
    data = file.read_bytes()
    return Wheel(
        name="demo",
        version="1.0",
        filename=file.name,
        url=source.url,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        built=WheelBuild(source=source, requires=(tool,)),
    )


def make_lock(workshop: Workshop, root: Root, wheel: Wheel) -> Lock:
    packs = [workshop.pack("greeter", {"__init__.py": "NODE_CLASS_MAPPINGS = {}\n", "salt": secrets.token_hex(8)})]
    return workshop.lock({"linux/amd64": root}, [wheel], packs)


def test_needs_are_what_nix_calls_ingredients(workshop: Workshop, root: Root, other_root: Root) -> None:
    wheel = built_wheel(workshop, root)
    git = GitSource(url="https://h/x", commit="1" * 40, tree="sha256-" + "A" * 43 + "=")
    compiled = wheel.model_copy(
        update={
            "name": "other",
            "filename": "other-1-cp311-cp311-linux_x86_64.whl",
            "built": WheelBuild(source=git, compiler=True),
        }
    )
    lock = workshop.lock({"linux/amd64": root}, [wheel, compiled], [])
    lock.platforms["linux/amd64"] = lock.platforms["linux/amd64"].model_copy(update={"compilers": other_root})
    project = workshop.project(lock)
    named = [*evaluate(workshop.settings, BuildTarget(project, "sources", "linux/amd64")).outputs]
    named += evaluate(workshop.settings, BuildTarget(project, "ingredients", "linux/amd64")).outputs
    bootstrap = find_bootstrap(project_files(ProjectContent(lock, WORKFLOW), read_toolkit()))
    needs = list_requisites(lock, bootstrap=bootstrap)
    assert {need.path for need in needs} == set(named)
    assert {need.path for need in needs if need.build_only} == {p for need in needs for p in need.built_from}
    assert len([need for need in needs if need.build_only and need.role != "package"]) == 4


def test_an_image_for_another_platform_has_what_was_built_here(workshop: Workshop, root: Root, arm_root: Root) -> None:
    wheel = built_wheel(workshop, root)
    # For that platform it would be built with other packages, which this machine might not run.
    assert wheel.built is not None
    elsewhere = wheel.model_copy(update={"built": wheel.built.model_copy(update={"requires": ()})})
    lock = workshop.lock({"linux/amd64": root, "linux/arm64": arm_root}, [wheel], [])
    pins = lock.platforms["linux/arm64"].model_copy(update={"wheels": (elsewhere,)})
    lock = lock.model_copy(update={"platforms": {**lock.platforms, "linux/arm64": pins}})
    target = BuildTarget(workshop.project(lock), "layout", "linux/arm64")
    plan = evaluate(workshop.settings, target)
    (oci,) = build(workshop.settings, plan, workshop.folder / "log", lambda e: None)
    assert read_layout(workshop.settings.local_path(oci)).platform == "linux/arm64"


@pytest.mark.parametrize("left", ["wheel", "ingredients"])
def test_the_archived_wheel_or_what_it_is_made_of_is_enough(
    workshop: Workshop, root: Root, root_store: NixSettings, tmp_path: Path, left: str
) -> None:
    wheel = built_wheel(workshop, root)
    paths, lock = new_paths(tmp_path), make_lock(workshop, root, wheel)
    version = build_and_record(workshop, lock, paths)
    archive = find_archive(paths)
    spare = [n for n in list_requisites(lock) if (n.build_only if left == "wheel" else n.title == "demo 1.0")]
    assert spare and all(archive.has(need.output) for need in spare)
    for need in spare:
        (archive.folder / narinfo_name(need.path)).unlink()
    for path in (*workshop.folder.glob("*.whl"), *workshop.folder.glob("*.gz"), workshop.folder / "greeter"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    restored = restore_image(Workspace(paths, root_store), RestoreRequest("small", offline=True))
    assert restored.same and restored.manifest_digest == version.image.manifest_digest


def test_a_wheel_that_comes_out_otherwise_is_refused(workshop: Workshop, root: Root) -> None:
    wheel = built_wheel(workshop, root).model_copy(update={"sha256": "1" * 64})
    project = workshop.project(make_lock(workshop, root, wheel))
    plan = evaluate(workshop.settings, BuildTarget(project, "layout", "linux/amd64"))
    with pytest.raises(BuildFailed, match=r"demo 1.0, built again from its source, is not the wheel .*archive"):
        build(workshop.settings, plan, workshop.folder / "log", lambda e: None)
