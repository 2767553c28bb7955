"""Where Python packages come from, and what happens when not all that is wanted can be had; by the command line."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli_projects import CARD, COMFYUI, SOURCES, Place, Surroundings, refused
from tests.support.package_index import Index, make_wheel, serve
from tests.support.repositories import commit

BOTH = 'as-of = 2025-06-01\nplatforms = ["linux/amd64", "linux/arm64"]\n'
AMD64 = 'as-of = 2025-06-01\nplatforms = ["linux/amd64"]\n'


def locked(place: Place) -> dict[str, str]:
    """The URL of every wheel, by name and version."""
    wheels = json.loads(place.lock.read_text())["platforms"]["linux/amd64"]["wheels"]
    return {f"{w['name']} {w['version']}": w["url"] for w in wheels}


def pack(place: Place, name: str, type_: str, *requirements: str) -> str:
    """A node pack in git; returns its lines of pycomfy.toml."""
    files = {
        "__init__.py": CARD.replace("HelloCard", type_),
        "requirements.txt": "".join(f"{r}\n" for r in requirements),
    }
    commit(place.work / name, files)
    return f'[packs.{name}]\ngit = "{name}"\n'


def test_two_packs_that_conflict_are_fixed_by_the_line_that_is_proposed(place: Place) -> None:
    place.project("Old", "New", "SaveImage", config=BOTH, sources="")
    sources = (
        '[comfyui]\npath = "ComfyUI"\n' + pack(place, "old", "Old", "oldbase") + pack(place, "new", "New", "newbase")
    )
    place.write("pycomfy.toml", BOTH + sources)
    outcome = refused(place, "lock", "workflow.json", code="no-solution")
    error = outcome.json()["error"]
    # One message, although two platforms are locked.
    assert "problems" not in error and "on linux/amd64 and linux/arm64" in error["message"]
    assert "pack old requires oldbase" in error["where"] and "pack new requires newbase" in error["where"]
    line = re.search(r"overrides = \[.*?\]", error["fix"])
    assert line is not None and "with it everything resolves" in error["fix"]
    place.write("pycomfy.toml", line[0] + "\n" + AMD64 + sources)
    assert place.run("lock", "workflow.json").status == 0
    assert {"oldbase 1.0", "newbase 1.0"} <= locked(place).keys()


def test_a_requirements_file_may_not_choose_an_index_but_the_user_may(place: Place) -> None:
    with serve() as company:
        company.add("inner", "1.0")
        place.project("Old", "SaveImage", config=AMD64, sources="")
        option = f"--extra-index-url {company.url}"
        sources = '[comfyui]\npath = "ComfyUI"\n' + pack(place, "old", "Old", option, "inner")
        place.write("pycomfy.toml", AMD64 + sources)
        error = refused(place, "lock", "workflow.json", code="unresolved").json()["error"]
        assert "pack old" in error["message"] and "--extra-index-url" in error["message"]
        assert "[[index]]" in error["fix"] and f'url = "{company.url}"' in error["fix"]
        assert company.asked == []
        own = f'[[index]]\nname = "company"\nurl = "{company.url}/"\npackages = ["inner"]\n'
        place.write("pycomfy.toml", AMD64 + own + sources)
        assert place.run("lock", "workflow.json").status == 0
        assert locked(place)["inner 1.0"].startswith(company.url.removesuffix("simple"))


@pytest.fixture
def private() -> Iterator[Index]:
    with serve("s3cretpassword") as index:
        index.add("inner", "1.0", needs=["base"])
        yield index


def test_a_login_in_an_indexs_url_is_used_and_written_nowhere(place: Place, private: Index) -> None:
    place.project(config=AMD64 + 'requirements = ["inner"]\n')
    place.write(
        "pycomfy.toml",
        AMD64
        + f'requirements = ["inner"]\n[[index]]\nname = "company"\nurl = "{private.url}"\npackages = ["inner"]\n'
        + SOURCES,
    )
    outcome = place.run("lock", "workflow.json", "--explain", env={"UV_CACHE_DIR": str(place.root / "uv")})
    assert outcome.status == 0, outcome.err
    assert locked(place)["inner 1.0"].startswith("http://127.0.0.1:")
    # What nobody can fetch by the lock alone is here already.
    kept = place.change_lock()["platforms"]["linux/amd64"]["wheels"]
    (sha256,) = [w["sha256"] for w in kept if w["name"] == "inner"]
    assert (place.data / "cache" / "sha256" / sha256[:2] / sha256).is_file()
    holders = [p for p in place.root.rglob("*") if p.is_file() and b"s3cretpassword" in p.read_bytes()]
    assert [p.name for p in holders] == ["pycomfy.toml"] and "s3cretpassword" not in outcome.out + outcome.err
    wrong = (place.work / "pycomfy.toml").read_text().replace("s3cretpassword", "wr0ngpassword")
    place.write("pycomfy.toml", wrong)
    outcome = place.run("lock", "workflow.json", "--json", env={"UV_CACHE_DIR": str(place.root / "uv2")})
    assert outcome.status == 1 and "wr0ngpassword" not in outcome.out + outcome.err


def test_a_wheel_of_a_folder_is_locked_by_its_path(place: Place) -> None:
    place.project(config=AMD64 + 'requirements = ["inner"]\nfind-links = ["our wheels"]\n')
    missing = refused(place, "lock", "workflow.json", code="not-found")
    assert "find-links" in missing.json()["error"]["fix"]
    data = make_wheel("inner", "1.0", ["base"], [])
    place.write("our wheels/inner-1.0-py3-none-any.whl", data)
    outcome = place.run("lock", "workflow.json")
    assert outcome.status == 0 and "whatever the date: inner 1.0" in outcome.out
    assert locked(place)["inner 1.0"] == "our wheels/inner-1.0-py3-none-any.whl"
    elsewhere = place.work / "locks" / "x.lock"
    assert place.run("lock", "workflow.json", "--output", elsewhere).status == 0
    assert "../our wheels/inner-1.0-py3-none-any.whl" in elsewhere.read_text()
    assert str(place.root) not in elsewhere.read_text()


def test_a_folder_that_the_environment_names_helps_where_no_index_does(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name, version in (("inner", "1.0"), ("base", "9.0")):
        (folder / f"{name}-{version}-py3-none-any.whl").write_bytes(make_wheel(name, version, [], []))
    place.project(config=AMD64)
    env = {"PIP_FIND_LINKS": str(folder)}
    assert place.run("lock", "workflow.json", env=env).status == 0
    assert "base 2.0" in locked(place)
    place.project(config=AMD64 + 'requirements = ["inner"]\n')
    assert place.run("lock", "workflow.json", env=env).status == 0
    assert locked(place)["inner 1.0"] == str(folder / "inner-1.0-py3-none-any.whl")


def test_an_accelerator_is_chosen_in_the_file_or_by_the_command_and_told(place: Place) -> None:
    with serve() as builds:
        for build in ("cu128", "cpu"):
            builds.add(f"{build}/torch", f"2.9.1+{build}")
        url = builds.url.replace("/simple", "/{accelerator}/simple")
        own = f'[[index]]\nname = "torch"\nurl = "{url}"\npackages = ["torch"]\n'
        place.project(config=AMD64 + 'requirements = ["torch"]\n' + own)
        refusal = refused(place, "lock", "workflow.json", code="bad-config")
        assert "--accelerator" in refusal.json()["error"]["fix"]
        outcome = place.run("lock", "workflow.json", "--accelerator", "cu128")
        assert outcome.status == 0 and "PyTorch for cu128" in outcome.out
        assert place.change_lock()["accelerator"] == "cu128" and "torch 2.9.1+cu128" in locked(place)
        place.write("pycomfy.toml", 'accelerator = "cpu"\n' + (place.work / "pycomfy.toml").read_text())
        outcome = place.run("lock", "workflow.json")
        assert "change: accelerator: cu128 → cpu" in outcome.out
        assert "torch 2.9.1+cpu" in locked(place)
        refused(place, "lock", "workflow.json", "--accelerator", "gpu", code="bad-config")
        missing = refused(place, "lock", "workflow.json", "--accelerator", "cu126", code="no-solution")
        assert "torch" in missing.json()["error"]["message"]


def test_a_lock_without_an_accelerator_does_not_mention_it(place: Place) -> None:
    place.project()
    assert place.run("lock", "workflow.json").status == 0
    assert "accelerator" not in place.lock.read_text()


def test_of_alternatives_one_package_is_locked_and_the_user_may_say_which(
    place: Place, surroundings: Surroundings
) -> None:
    index = surroundings.index
    for name in ("opencv-python", "opencv-python-headless", "opencv-contrib-python"):
        for version in ("4.8.0", "4.9.0"):
            index.add(name, version)
    index.add("sees", "1.0", needs=["opencv-python-headless"])
    place.project("Old", "New", "SaveImage", config=AMD64, sources="")
    sources = '[comfyui]\npath = "ComfyUI"\n' + pack(place, "old", "Old", "opencv-python<4.9", "sees")
    sources += pack(place, "new", "New", "opencv-contrib-python")
    place.write("pycomfy.toml", AMD64 + sources)
    outcome = place.run("lock", "workflow.json")
    assert outcome.status == 0, outcome.err
    assert [name for name in locked(place) if "opencv" in name] == ["opencv-contrib-python 4.8.0"]
    assert "only opencv-contrib-python is kept" in outcome.out and "sees 1.0" in locked(place)
    for choice, left in (("opencv-python-headless", ["opencv-python-headless 4.8.0"]), ("all", None)):
        place.write("pycomfy.toml", AMD64 + sources + f'[families]\nopencv = "{choice}"\n')
        assert place.run("lock", "workflow.json").status == 0
        there = [name for name in locked(place) if "opencv" in name]
        assert there == left or (left is None and len(there) == 3)


def test_alternatives_of_which_the_best_has_no_wheel_for_a_platform_may_be_another(
    place: Place, surroundings: Surroundings
) -> None:
    surroundings.index.add("onnxruntime-gpu", "1.0", tags=["cp311-cp311-manylinux_2_17_aarch64"])
    surroundings.index.add("onnxruntime", "1.0")
    place.project("Old", "SaveImage", config=AMD64, sources="")
    sources = '[comfyui]\npath = "ComfyUI"\n' + pack(place, "old", "Old", "onnxruntime-gpu")
    place.write("pycomfy.toml", AMD64 + sources)
    fix = refused(place, "lock", "workflow.json", code="no-wheel").json()["error"]["fix"]
    assert '[families] onnxruntime = "onnxruntime"' in fix
    place.write("pycomfy.toml", AMD64 + sources + '[families]\nonnxruntime = "onnxruntime"\n')
    assert place.run("lock", "workflow.json").status == 0
    assert [name for name in locked(place) if "onnx" in name] == ["onnxruntime 1.0"]


def test_comfyui_may_be_in_a_wheel_of_an_index_behind_a_login(place: Place, private: Index) -> None:
    files = [("app/nodes.py", COMFYUI["nodes.py"]), ("app/comfyui_version.py", COMFYUI["comfyui_version.py"])]
    private.add("packed", "1.0", files=files)
    own = f'[[index]]\nname = "company"\nurl = "{private.url}"\npackages = ["packed"]\n'
    place.workflow("SaveImage")
    place.write("pycomfy.toml", AMD64 + own + '[comfyui]\nwheel = "packed==1.0"\nfolder = "app"\n')
    outcome = place.run("lock", "workflow.json")
    assert outcome.status == 0, outcome.err
    assert "s3cretpassword" not in place.lock.read_text() and "packed-1.0" in place.lock.read_text()
