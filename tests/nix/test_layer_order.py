"""Which layers an image has, and their order: a part that comes or changes costs what is its own, and little else."""

import json
import random
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.nix.build import BuildTarget, evaluate, missing_paths
from pycomfy.adapters.nix.internal_json import derivation_name
from pycomfy.adapters.nix.resources import nix_folder
from pycomfy.core.lockfile.schema import Lock, Root, Wheel
from pycomfy.services.realise import layer_name
from tests.support.nix_projects import Workshop, bucket_of, built

MIB = 1 << 20
LIMIT = 70
# Sizes as of December 2025, compressed.
PYTORCH = {"nvidia-cudnn-cu12": 707, "nvidia-nccl-cu12": 322, "nvidia-cublas-cu12": 594, "triton": 170, "torch": 900}


@dataclass(frozen=True)
class Parts:
    """What is in a lock: the sizes of wheels, and the kinds of the packs' sources."""

    wheels: dict[str, int] = field(default_factory=dict)
    packs: dict[str, str] = field(default_factory=dict)

    def shuffled(self, chance: random.Random) -> "Parts":
        wheels, packs = list(self.wheels.items()), list(self.packs.items())
        chance.shuffle(wheels)
        chance.shuffle(packs)
        return Parts(dict(wheels), dict(packs))


Layers = dict[str, tuple[str, ...]]
"""The names of the parts in each layer, by its name, bottom first."""


def arrange(cases: Iterable[Parts]) -> list[Layers]:
    """The layers of each, from one evaluation."""
    given = [
        {
            "wheels": [{"name": name, "size": size} for name, size in case.wheels.items()],
            "packs": [{"name": name, "source": {"kind": kind}} for name, kind in case.packs.items()],
        }
        for case in cases
    ]
    command = ["nix-instantiate", "--eval", "--strict", "--json", "-"]
    text = f"map (import {nix_folder()}/order.nix) (builtins.fromJSON {nix_string(json.dumps(given))})"
    done = subprocess.run(command, check=False, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: list[list[dict[str, Any]]] = json.loads(done.stdout)
    made: list[Layers] = []
    for layers in found:
        made.append({e["name"]: tuple(p["name"] for p in e.get("wheels", e.get("packs", ()))) for e in layers})
        assert len(made[-1]) == len(layers), "two layers have one name"
    return made


def nix_string(text: str) -> str:
    return json.dumps(text).replace("${", "\\${")


def is_within(some: Sequence[str], all_: Sequence[str]) -> bool:
    """Whether `all_` has `some` in their order."""
    rest = iter(all_)
    return all(name in rest for name in some)


def some_parts(chance: random.Random, wheels: int, packs: int) -> Parts:
    sizes = [
        chance.choice([1 << 10, 3 * MIB, 5 * MIB, 30 * MIB, 400 * MIB]) + chance.randrange(1000) for _ in range(wheels)
    ]
    names = chance.sample(range(1000), wheels)
    kinds = chance.choices(["git", "path", "wheel-tree"], [6, 1, 1], k=packs)
    return Parts(
        {
            **{f"w{name}": size for name, size in zip(names, sizes, strict=True)},
            **{n: s * MIB for n, s in PYTORCH.items()},
        },
        {f"p{name}": kind for name, kind in zip(chance.sample(range(1000), packs), kinds, strict=True)},
    )


def test_what_changes_rarely_for_its_size_lies_below_what_changes_often() -> None:
    wheels = {**PYTORCH, "numpy": 18, "av": 40, "onnxruntime-gpu": 300, "comfyui-frontend-package": 18, "sympy": 6}
    parts = Parts(
        {n: s * MIB for n, s in wheels.items()} | {"tqdm": 78000, "einops": 64000}, {"mine": "path", "x": "git"}
    )
    (layers,) = arrange([parts])
    pytorch = ["nvidia-cublas-cu12", "nvidia-cudnn-cu12", "nvidia-nccl-cu12", "torch", "triton"]
    others = ["av", "numpy", "onnxruntime-gpu", "sympy"]
    buckets = sorted({bucket_of("tqdm"), bucket_of("einops")})
    assert list(layers) == [
        *pytorch,
        *others,
        *("root", "venv", "gateway"),
        "comfyui-frontend-package",
        *buckets,
        *("comfyui", "pack-x", "pack-mine", "workflow"),
    ]


def test_a_new_part_takes_a_place_of_its_own_and_no_others_change_places_or_contents() -> None:
    chance = random.Random(1)
    before = [some_parts(chance, chance.randrange(30), chance.randrange(12)) for _ in range(200)]
    after = []
    for parts in before:
        name, size = f"w{chance.randrange(1000, 2000)}", chance.choice([1000, 8 * MIB, 300 * MIB])
        more = replace(parts, wheels={**parts.wheels, name: size})
        after.append(more if chance.random() < 0.7 else replace(parts, packs={**parts.packs, f"p{name}": "git"}))
    for old, new in zip(arrange(before), arrange(after), strict=True):
        assert is_within([*old], [*new])
        changed = [name for name in new if old.get(name) != new[name]]
        assert len(changed) == 1, changed
        extra = {*new[changed[0]]} - {*old.get(changed[0], ())}
        assert len(extra) == 1
        # PyTorch's are the lowest, whatever comes.
        assert [*new][: len(PYTORCH)] == [*old][: len(PYTORCH)] == sorted(PYTORCH)


def test_another_version_moves_nothing() -> None:
    """The size of a wheel says whether it is large, and no more."""
    chance = random.Random(2)
    before = [some_parts(chance, 30, 5) for _ in range(50)]
    other = [
        replace(
            parts,
            wheels={n: s + chance.randrange(900_000 if s < 4 * MIB else 90 * MIB) for n, s in parts.wheels.items()},
        )
        for parts in before
    ]
    assert arrange(before) == arrange(other)


def test_there_are_at_most_70_layers_whatever_the_order_of_the_lock() -> None:
    chance = random.Random(3)
    cases = [some_parts(chance, wheels, packs) for wheels, packs in [(0, 0), (90, 0), (0, 60), (400, 300), (40, 26)]]
    many = Parts(
        {f"large{n}": (5 + n) * MIB for n in range(90)}, {f"p{n}": "path" if n > 50 else "git" for n in range(60)}
    )
    made = arrange([*cases, many])
    assert [len(layers) <= LIMIT for layers in made] == [True] * 6
    for parts, layers in zip([*cases, many], made, strict=True):
        held = [name for names in layers.values() for name in names]
        assert sorted(held) == sorted([*parts.wheels, *parts.packs])
    assert arrange(case.shuffled(chance) for case in [*cases, many]) == made
    layers = made[-1]
    assert len(layers) == LIMIT
    own = [names[0] for names in layers.values() if len(names) == 1]
    assert {f"p{n}" for n in range(51, 60)} <= {*own}, "packs of folders have layers of their own"
    assert [name for name in own if name.startswith("large")] == [f"large{n}" for n in range(61, 90)]


def test_beyond_the_limit_a_new_part_pushes_one_other_into_its_bucket_and_changes_no_more() -> None:
    chance = random.Random(4)
    before = [some_parts(chance, 120, chance.randrange(15, 40)) for _ in range(100)]
    after = []
    for parts in before:
        if chance.random() < 0.5:
            after.append(replace(parts, wheels={**parts.wheels, f"w{chance.randrange(1000, 2000)}": 300 * MIB}))
        else:
            after.append(replace(parts, packs={**parts.packs, f"p{chance.randrange(1000, 2000)}": "git"}))
    for old, new in zip(arrange(before), arrange(after), strict=True):
        assert len(old) <= LIMIT and len(new) <= LIMIT
        stay = [name for name in new if name in old]
        assert is_within(stay, [*old])
        # Its own, and where it pushes a pack and that a wheel: their buckets.
        changed = [name for name in new if old.get(name) != new[name]]
        assert len(changed) <= 3 and len({*old} - {*new}) <= 2, changed
        assert [*new][: len(PYTORCH)] == sorted(PYTORCH), "PyTorch's are not pushed"


def seeded(name: str, size: int) -> bytes:
    """Bytes that cannot be compressed."""
    return random.Random(name).randbytes(size)


def made_of(workshop: Workshop, lock: Lock, name: str) -> tuple[dict[str, str], set[str]]:
    """The digests of the layers of an image by name, bottom first, and the names of those that were built for it."""
    project = workshop.project(lock, name)
    missing = missing_paths(
        workshop.settings, evaluate(workshop.settings, BuildTarget(project, "layout", "linux/amd64"))
    )
    steps = [derivation_name(path) for path in missing]
    image: LayoutImage = read_layout(built(workshop, project))
    digests = dict(zip(image.layer_names, image.diff_ids, strict=True))
    return digests, {layer_name(step) for step in steps if step.startswith("layer-")}


def with_wheels(lock: Lock, wheels: Sequence[Wheel]) -> Lock:
    pins = lock.platforms["linux/amd64"].model_copy(update={"wheels": tuple(wheels)})
    return lock.model_copy(update={"platforms": {"linux/amd64": pins}})


@pytest.fixture
def started(workshop: Workshop, root: Root) -> Lock:
    """A lock with large wheels and a small one in each of several buckets, all of this test alone."""
    large = [
        workshop.wheel(name, {f"{name}/data": seeded(str(workshop.folder) + name, 4 * MIB)})
        for name in ("nvidia-cublas-cu12", "torch", "numpy")
    ]
    small = [workshop.wheel(name, {f"{name}.py": mark(workshop)}) for name in ("one", "two", "fine", "odd")]
    pack = workshop.pack("greeter", {"__init__.py": mark(workshop).decode()})
    return workshop.lock({"linux/amd64": root}, [*large, *small], [pack])


def mark(workshop: Workshop) -> bytes:
    return f"folder = {str(workshop.folder)!r}\n".encode()


def test_a_small_requirement_that_changes_rebuilds_its_bucket_and_moves_nothing_else(
    workshop: Workshop, started: Lock
) -> None:
    before, first = made_of(workshop, started, "before")
    buckets = sorted({bucket_of(name) for name in ("one", "two", "fine", "odd")})
    assert len(buckets) == 4
    large = ["nvidia-cublas-cu12", "torch", "numpy"]
    system = ["root", "venv", "gateway"]
    assert [*before] == [*large, *system, *buckets, "comfyui", "pack-greeter", "workflow"]
    assert {*large, *buckets, "pack-greeter", "workflow"} <= first
    changed = workshop.wheel("fine", {"fine.py": mark(workshop) + b"more = 1\n"})
    wheels = [changed if w.name == "fine" else w for w in started.platforms["linux/amd64"].wheels]
    after, second = made_of(workshop, with_wheels(started, wheels), "after")
    # The workflow's layer holds the lock.
    assert second == {bucket_of("fine"), "workflow"}
    assert [*after] == [*before]
    assert {name for name in before if before[name] != after[name]} == second


def test_a_large_package_that_is_added_has_everything_that_lies_below_it_as_it_was(
    workshop: Workshop, started: Lock
) -> None:
    """Engines keep a layer by all that lies below it: PyTorch's are below whatever is added."""
    before, _ = made_of(workshop, started, "before")
    added = workshop.wheel("onnxruntime-gpu", {"ort": seeded(str(workshop.folder), 4 * MIB)})
    after, built_now = made_of(
        workshop, with_wheels(started, [*started.platforms["linux/amd64"].wheels, added]), "after"
    )
    assert built_now == {"onnxruntime-gpu", "workflow"}
    at = [*after].index("onnxruntime-gpu")
    assert [*after.items()][:at] == [*before.items()][:at]
    assert [*before][:at] == ["nvidia-cublas-cu12", "torch", "numpy"]
    del after["onnxruntime-gpu"]
    assert [*after] == [*before]
    assert {name for name in before if before[name] != after[name]} == {"workflow"}
