"""Builds of PyTorch for an accelerator, from an index on this machine; PyTorch's own is not reached from here."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from pycomfy.adapters.python.resolver import compile_pylock
from pycomfy.adapters.python.uv_request import ResolutionRequest
from pycomfy.core.lockfile.package_indexes import IndexConfig
from pycomfy.core.lockfile.package_indexes import PackageIndex as Own
from pycomfy.core.python.wheel_selection import Target, choose_wheels
from pycomfy.errors import BadConfig, NoMatchingDistribution
from tests.support.any_host import serve_any_host
from tests.support.package_index import Index, make_wheel, serve
from tests.support.resolution import AMD64, ARM64, AS_OF, no_cache, wants

TORCH = ("torch", "torchvision")
X86 = ("cp311-cp311-manylinux_2_28_x86_64",)
ARM = ("cp311-cp311-manylinux_2_28_aarch64",)


@pytest.fixture
def builds(index: Index) -> Iterator[Index]:
    """An index of builds: a page for each accelerator. The default index has 2.8 and 2.9 for everything."""
    for version in ("2.8.0", "2.9.1"):
        index.add("torch", version, tags=(*X86, *ARM))
    index.add("torchvision", "0.24.1", tags=(*X86, *ARM), needs=["torch==2.9.1"])
    with serve() as other:
        for page, version in (("cu128", "2.9.1"), ("cu128", "2.8.0"), ("cpu", "2.9.1"), ("cu126", "2.8.0")):
            other.add(f"{page}/torch", f"{version}+{page}", tags=X86)
        other.add("cpu/torch", "2.9.1", tags=ARM)
        for page in ("cu128", "cpu"):
            other.add(f"{page}/torchvision", f"0.24.1+{page}", tags=X86, needs=["torch==2.9.1"])
        yield other


def index_config(builds: Index, accelerator: str) -> IndexConfig:
    url = builds.url.replace("/simple", "/{accelerator}/simple")
    return IndexConfig((Own("torch", url, TORCH),), accelerator=accelerator)


def ask(index_config: IndexConfig, *lines: str, target: Target = AMD64) -> list[str]:
    question = ResolutionRequest(
        [wants("ComfyUI", *(lines or ("torch", "torchvision")))], target, AS_OF, index_config=index_config
    )
    wheels = choose_wheels(compile_pylock(question, no_cache()), target.platform, target.python)
    return [f"{w.name} {w.version}" for w in wheels]


@pytest.mark.parametrize("accelerator", ["cu128", "cpu"])
def test_each_accelerator_has_its_own_builds(builds: Index, accelerator: str) -> None:
    assert ask(index_config(builds, accelerator)) == [f"torch 2.9.1+{accelerator}", f"torchvision 0.24.1+{accelerator}"]


def test_without_an_accelerator_the_default_index_says(builds: Index) -> None:
    assert ask(IndexConfig()) == ["torch 2.9.1", "torchvision 0.24.1"]


def test_a_missing_build_is_told_with_what_there_is(builds: Index) -> None:
    with pytest.raises(NoMatchingDistribution) as e:
        ask(index_config(builds, "cu126"), "torch==2.9.1")
    assert "torch 2.9.1 has no build for cu126 on linux/amd64" in e.value.what
    assert "for that there is 2.8.0" in e.value.what and "cu128, cpu" in e.value.what
    assert 'requirements = ["torch==2.8.0"]' in e.value.fix and 'accelerator = "cu128"' in e.value.fix
    with pytest.raises(NoMatchingDistribution) as e:
        ask(index_config(builds, "rocm6.4"), "torch==2.9.1")
    assert "there is no torch" in e.value.what and 'accelerator = "cpu"' in e.value.fix


def test_a_build_for_another_machine_is_no_build(builds: Index) -> None:
    with pytest.raises(NoMatchingDistribution) as e:
        ask(index_config(builds, "cu128"), "torch", target=ARM64)
    assert "linux/arm64" in str(e.value) and 'platforms = ["linux/amd64"]' in e.value.fix
    assert ask(index_config(builds, "cpu"), "torch", target=ARM64) == ["torch 2.9.1"]


def test_a_build_for_another_accelerator_is_never_taken_silently(index: Index) -> None:
    # One page for all, where the highest label would win.
    with serve() as other:
        for build in ("cpu", "cu126", "cu128"):
            other.add("torch", f"2.9.1+{build}", tags=X86)
        other.add("torch", "2.9.1", tags=X86)
        index.add("torch", "2.9.1", tags=X86)
        own = (Own("torch", other.url, ("torch",)),)
        assert ask(IndexConfig(own, accelerator="cu126"), "torch") == ["torch 2.9.1+cu126"]
        assert ask(IndexConfig(own, accelerator="cpu"), "torch") == ["torch 2.9.1+cpu"]
        with pytest.raises(NoMatchingDistribution, match="no build for cu130"):
            ask(IndexConfig(own, accelerator="cu130"), "torch")


def test_builds_without_a_date_are_taken_in_the_versions_of_the_date(builds: Index, index: Index) -> None:
    index.add("torch", "2.10.0", tags=X86, uploaded="2026-01-01T00:00:00Z")
    builds.files.clear()
    for version in ("2.8.0", "2.9.1", "2.10.0"):
        builds.add("cu128/torch", f"{version}+cu128", tags=X86, uploaded=None)
    assert ask(index_config(builds, "cu128"), "torch") == ["torch 2.9.1+cu128"]


@dataclass
class Pages:
    """PyTorch's index as it is: HTML, and files of which it does not say when they were uploaded."""

    pages: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, page: str, name: str, version: str, tags: str, *needs: str, uploaded: str = "") -> None:
        file = quote(f"{name}-{version}-{tags}.whl")
        data = make_wheel(name, version, needs, [])
        self.files[f"/whl/{page}/{file}"] = data
        digest = hashlib.sha256(data).hexdigest()
        link = f'<a href="/whl/{page}/{file}#sha256={digest}" {uploaded}>{unquote(file)}</a>'
        self.pages.setdefault(f"/whl/{page}/{name}/", []).append(link)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        if path in self.files:
            return 200, "application/octet-stream", self.files[path]
        found = self.pages.get(path)
        return (200, "text/html", "<br>".join(found).encode()) if found else (404, "text/plain", b"")


@pytest.fixture
def pytorch(builds: Index, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    """What uv takes for PyTorch's index."""
    pages = Pages()
    index.add("torch", "2.10.0", tags=X86, uploaded="2026-01-01T00:00:00Z")
    index.add("triton", "3.5.1", tags=X86)
    for version in ("2.8.0", "2.9.1", "2.10.0"):
        pages.add("cu128", "torch", f"{version}+cu128", X86[0], "triton==3.5.1")
    pages.add("cu128", "torch", "1.13.1+cu128", X86[0], uploaded='data-upload-time="2022-12-15T00:00:00Z"')
    pages.add("cu128", "triton", "3.5.1", X86[0])
    pages.add("cu128", "torchvision", "0.24.1+cu128", X86[0], "torch==2.9.1")
    pages.add("cu126", "torch", "2.8.0+cu126", X86[0])
    pages.add("cpu", "torch", "2.9.1", ARM[0])
    with serve_any_host(tmp_path / "hosts", pages.answer) as hosts:
        monkeypatch.setenv("HTTPS_PROXY", hosts.proxy)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("SSL_CERT_FILE", str(hosts.authority))
        monkeypatch.delenv("SSL_CERT_DIR", raising=False)
        yield pages


def test_pytorchs_own_index_is_asked_where_no_other_is_named(pytorch: Pages) -> None:
    # In the versions of the date, although it does not know any; and not in the only one of which it says when it came.
    assert ask(IndexConfig(accelerator="cu128"), "torch", "torchvision") == [
        "torch 2.9.1+cu128",
        "torchvision 0.24.1+cu128",
        "triton 3.5.1",
    ]
    assert ask(IndexConfig(accelerator="cu128"), "torch<2.9") == ["torch 2.8.0+cu128", "triton 3.5.1"]
    assert ask(IndexConfig(accelerator="cpu"), "torch", target=ARM64) == ["torch 2.9.1"]


def test_what_pytorchs_own_index_lacks_is_told(pytorch: Pages) -> None:
    with pytest.raises(NoMatchingDistribution) as e:
        ask(IndexConfig(accelerator="cu126"), "torch")
    assert "for that there is 2.8.0; torch 2.9.1 exists for cu128" in e.value.what


def test_an_accelerator_that_nobody_knows_is_refused_with_those_there_are(index: Index) -> None:
    with pytest.raises(BadConfig) as e:
        ask(IndexConfig(accelerator="cu999"), "torch")
    assert "cu128" in e.value.fix and "cpu" in e.value.fix
