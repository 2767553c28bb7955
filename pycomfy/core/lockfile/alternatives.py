"""List the alternatives: distributions that install the same files; an image needs one of them.

In pycomfy.toml the section in which a user chooses is called `[families]`, as it was published under that name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name

ALL = "all"
"""In place of a package: keep all alternatives."""

SECTION = "families"
"""The section of pycomfy.toml: the name of alternatives -> the package to keep, or `ALL`."""


@dataclass(frozen=True)
class Alternative:
    """One of several distributions that install the same files. `features` is what it offers beyond what all of them
    do; without its `debian_packages` it cannot be loaded; `accelerators` are prefixes of the accelerators it is for."""

    name: str
    features: frozenset[str] = frozenset()
    debian_packages: frozenset[str] = frozenset()
    accelerators: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alternatives:
    """Distributions that install the same files, under a name of ours: an image needs one. With `same_versions`, their
    versions mean the same, so that a constraint on one applies to another."""

    name: str
    members: tuple[Alternative, ...]
    same_versions: bool = True


def _member(name: str, features: str = "", *, debian: str = "", accelerators: str = "") -> Alternative:
    return Alternative(name, frozenset(features.split()), frozenset(debian.split()), tuple(accelerators.split()))


ALTERNATIVES: tuple[Alternatives, ...] = (
    Alternatives(
        "opencv",
        (
            _member("opencv-python", "windows", debian="libgl1"),
            _member("opencv-contrib-python", "windows contrib", debian="libgl1"),
            _member("opencv-python-headless"),
            _member("opencv-contrib-python-headless", "contrib"),
        ),
    ),
    Alternatives(
        "onnxruntime",
        (
            _member("onnxruntime", accelerators="cpu"),
            _member("onnxruntime-gpu", "gpu", accelerators="cu"),
            _member("onnxruntime-rocm", "gpu", accelerators="rocm"),
            _member("onnxruntime-migraphx", "gpu", accelerators="rocm"),
            _member("onnxruntime-openvino", "openvino", accelerators="xpu"),
        ),
    ),
    Alternatives(
        "tensorflow",
        (_member("tensorflow", "gpu", accelerators="cu"), _member("tensorflow-cpu", accelerators="cpu")),
    ),
    Alternatives(
        "faiss",
        (
            _member("faiss-cpu", accelerators="cpu"),
            _member("faiss-gpu", "gpu", accelerators="cu"),
            _member("faiss-gpu-cu11", "gpu", accelerators="cu"),
            _member("faiss-gpu-cu12", "gpu", accelerators="cu"),
        ),
        same_versions=False,
    ),
    Alternatives("pillow", (_member("pillow", "current"), _member("pillow-simd")), same_versions=False),
    Alternatives("decord", (_member("decord"), _member("eva-decord", "current")), same_versions=False),
    Alternatives("psycopg2", (_member("psycopg2-binary"), _member("psycopg2"))),
)


def unknown_choices(chosen: Mapping[str, str]) -> list[str]:
    """Return the problems of the user's choices: unknown alternatives, and packages that are not among them."""
    known = {alternatives.name: alternatives for alternatives in ALTERNATIVES}
    problems = []
    for name, package in sorted(chosen.items()):
        if name not in known:
            problems.append(f"[{SECTION}] {name}: there are alternatives for {', '.join(sorted(known))}, not for that")
            continue
        names = [m.name for m in known[name].members]
        if canonicalize_name(package) not in (*names, ALL):
            problems.append(f"[{SECTION}] {name}: {package} is not an alternative; choose {', '.join(names)} or {ALL}")
    return problems
