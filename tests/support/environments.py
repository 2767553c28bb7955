"""Environments of every kind, for what must hold of all of them; and what formats can express of one."""

from dataclasses import replace

from hypothesis import strategies as st

from pycomfy.core.interchange.model import (
    ApiInput,
    ComfyUIRevision,
    EnvironmentSpec,
    FilePack,
    GitPack,
    ModelEntry,
    Package,
    PackEntry,
    RegistryPack,
)
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.sources.url import UrlSource

hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
commits = st.text("0123456789abcdef", min_size=40, max_size=40)
names = st.tuples(st.sampled_from("abXY"), st.text("abcXYZ019", max_size=6), st.sampled_from(["", "-z"])).map("".join)
versions = st.tuples(*[st.integers(0, 20)] * 3).map(lambda parts: ".".join(map(str, parts)))
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)

git_packs = st.builds(
    lambda owner, name, commit, enabled: GitPack(f"https://github.com/{owner}/{name}", commit, name, enabled),
    names,
    names,
    st.none() | commits,
    st.booleans(),
)
registry_packs = st.builds(
    lambda name, version, enabled: RegistryPack(name, version, name, enabled), names, versions, st.booleans()
)
file_packs = st.builds(
    lambda name, there, sha256, enabled: FilePack(
        f"{name}.py", f"https://example.org/{name}.py" if there else None, sha256 if there else None, enabled
    ),
    names,
    st.booleans(),
    hexes,
    st.booleans(),
)


def _label(pack: PackEntry) -> str:
    return (pack.filename if isinstance(pack, FilePack) else pack.name).lower()


def _wheels(name: str, version: str, sha256: str, both: bool) -> tuple[Wheel, ...]:
    tags = ["py3-none-any"] if not both else ["cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_17_aarch64"]
    plain = name.replace("-", "_")
    return tuple(
        Wheel(
            name=name,
            version=version,
            filename=f"{plain}-{version}-{tag}.whl",
            url=f"https://example.org/{plain}-{version}-{tag}.whl",
            sha256=sha256,
            size=7,
        )
        for tag in sorted(tags)
    )


platforms: st.SearchStrategy[tuple[PlatformName, ...]] = st.sampled_from([(), ("linux/amd64",), ("linux/arm64",)])
git_packages = st.builds(
    lambda name, version, commit, below: Package(
        name, version, url=f"git+https://github.com/o/{name}@{commit}{'#subdirectory=sub' if below else ''}"
    ),
    names.map(str.lower),
    versions,
    commits,
    st.booleans(),
)
sources = st.builds(
    lambda name, version, sha256: Package(
        name,
        version,
        sdist=UrlSource(
            url=f"https://example.org/{name}-{version}.tar.gz", sha256=sha256, name=f"{name}-{version}.tar.gz"
        ),
    ),
    names.map(str.lower),
    versions,
    hexes,
)
packages = (
    git_packages
    | sources
    | st.builds(
        lambda name, version, sha256, both, where: Package(
            name, version, files=_wheels(name, version, sha256, both), platforms=where
        ),
        names.map(str.lower),
        versions,
        hexes,
        st.booleans(),
        platforms,
    )
)
models = st.builds(
    lambda folder, parts, sha256, url: ModelEntry("/".join((folder, *parts)), sha256, (url,) if url else ()),
    names,
    st.lists(names, min_size=1, max_size=3),
    st.none() | hexes,
    st.none() | names.map(lambda n: f"https://example.org/{n}.safetensors"),
)
inputs = st.builds(
    ApiInput,
    name=texts,
    node=st.integers(1, 99).map(str),
    input=names,
    type=st.sampled_from(["text", "integer", "number", "boolean", "choice", "image", "video", "audio"]),
    title=texts,
    default=st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts,
    choices=st.lists(texts, max_size=3).map(tuple),
    minimum=st.none() | st.integers(-9, 9),
    maximum=st.none() | st.floats(0, 9),
)
environments = st.builds(
    EnvironmentSpec,
    name=st.none() | texts,
    comfyui=st.none() | st.builds(ComfyUIRevision, revision=commits),
    packs=st.lists(git_packs | registry_packs | file_packs, max_size=5, unique_by=_label).map(tuple),
    python=st.sampled_from(["3.11", "3.13"]),
    packages=st.lists(packages, max_size=4, unique_by=lambda p: p.name).map(tuple),
    models=st.lists(models, max_size=4, unique_by=lambda m: m.path).map(tuple),
    inputs=st.lists(inputs, max_size=3).map(tuple),
    workflow=st.just(b'{"nodes": []}'),
    prompt=st.just(b'{"1": {"class_type": "A", "inputs": {}}}'),
    platforms=st.just(("linux/amd64", "linux/arm64")),
)


def pins(environment: EnvironmentSpec) -> tuple[Package, ...]:
    """The packages as a freeze has them."""
    return tuple(Package(p.name, "" if p.url else p.version, p.url) for p in environment.packages)


def bare(environment: EnvironmentSpec, **parts: object) -> EnvironmentSpec:
    """An environment of these parts alone."""
    return replace(EnvironmentSpec(), **parts)  # type: ignore[arg-type]


def unnamed(pack: PackEntry) -> PackEntry:
    """The pack without its folder's name, and without the address of a file."""
    if isinstance(pack, FilePack):
        return replace(pack, url=None, sha256=None)
    return replace(pack, name="")


def of_kind(environment: EnvironmentSpec, *kinds: type) -> list[PackEntry]:
    """The packs of these kinds, in the order of the kinds."""
    return [pack for kind in kinds for pack in environment.packs if isinstance(pack, kind)]
