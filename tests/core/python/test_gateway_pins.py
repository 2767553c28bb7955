"""The pins of the gateway's packages: which files are accepted, and that a release has one for every image."""

import tomllib
from pathlib import Path

import pytest

from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.core.lockfile.platforms import MACHINES
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.gateway_pins import FILE, GatewayPins, parse_gateway_pins
from pycomfy.core.python.wheel_selection import Target, choose_wheels
from pycomfy.errors import ErrorGroup, HashMismatch

ROOT = Path(__file__).parents[3]
ONE, TWO = "1" * 64, "2" * 64
TEXT = f"""\
One-Package==1.5 \\
    --hash=sha256:{ONE} \\
    --hash=sha256:{TWO}
# a remark
old ==2.0 ; python_full_version < '3.13' --hash=sha256:{TWO}
"""
OLD, NEW = Target("linux/amd64", "3.11"), Target("linux/amd64", "3.13")


def wheel(name: str, version: str, sha256: str, tags: str = "py3-none-any") -> Wheel:
    filename = f"{name.replace('-', '_')}-{version}-{tags}.whl"
    return Wheel(name=name, version=version, filename=filename, url=f"https://h/{filename}", sha256=sha256, size=1)


@pytest.fixture
def pins() -> GatewayPins:
    return parse_gateway_pins(TEXT)


def test_markers_say_which_images_need_a_package(pins: GatewayPins) -> None:
    assert pins.versions(OLD) == {"one-package": "1.5", "old": "2.0"}
    assert pins.versions(NEW) == {"one-package": "1.5"}


def test_only_listed_files_of_exactly_the_packages_that_fit_are_those_of_the_release(pins: GatewayPins) -> None:
    one, old = wheel("one-package", "1.5", ONE), wheel("old", "2.0", TWO)
    assert pins.are_met([one, old], OLD) and pins.are_met([one], NEW)
    assert pins.are_met([wheel("one-package", "1.5", TWO, "cp313-cp313-manylinux_2_17_x86_64")], NEW)
    for others in (
        [],
        [one],
        [one, old, wheel("more", "1", ONE)],
        [wheel("one-package", "1.6", ONE), old],
        [wheel("one-package", "1.5", "3" * 64), old],
        [wheel("one-package", "1.5", ONE, "cp313-cp313-manylinux_2_17_x86_64"), old],
        [wheel("one-package", "1.5", ONE, "cp311-cp311-manylinux_2_17_aarch64"), old],
    ):
        assert not pins.are_met(others, OLD)


def entry(sha256: str, tags: str = "py3-none-any") -> dict[str, object]:
    return {"name": f"one_package-1.5-{tags}.whl", "url": "https://h/x", "hashes": {"sha256": sha256}}


def test_a_file_that_the_release_does_not_list_is_not_taken(pins: GatewayPins) -> None:
    foreign = entry("3" * 64, "cp311-cp311-manylinux_2_17_x86_64")
    answer = {"packages": [{"name": "One_Package", "version": "1.5", "wheels": [foreign, entry(ONE)]}]}
    (taken,) = choose_wheels(pins.without_others(answer), "linux/amd64", "3.11")
    assert taken.sha256 == ONE


def test_packages_of_which_the_index_has_other_files_alone_are_refused_by_name(pins: GatewayPins) -> None:
    packages = [{"name": name, "version": "1.5", "wheels": [entry("3" * 64)]} for name in ("one-package", "old")]
    with pytest.raises(ErrorGroup) as e:
        pins.without_others({"packages": packages})
    assert all(isinstance(problem, HashMismatch) for problem in e.value.problems)
    assert [problem.what.partition(" ")[0] for problem in e.value.problems] == ["one-package", "old"]


@pytest.mark.parametrize("python", ["3.11", "3.13"])
@pytest.mark.parametrize("platform", MACHINES)
def test_this_release_has_a_wheel_of_every_package_for_every_image(platform: str, python: str) -> None:
    pins = parse_gateway_pins(read_toolkit().gateway[FILE].decode())
    target = Target(platform, python)  # type: ignore[arg-type]
    needed = pins.versions(target)
    packages = [
        {
            **package,
            "wheels": [{**w, "hashes": {"sha256": w["hash"].removeprefix("sha256:")}} for w in package["wheels"]],
        }
        for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
        if needed.get(package["name"]) == package["version"]
    ]
    chosen = choose_wheels(pins.without_others({"packages": packages}), target.platform, python)
    assert {"fastapi", "uvicorn", "aiohttp", "pydantic-core"} <= {w.name for w in chosen}
    assert pins.are_met(chosen, target)
    assert sum(w.size for w in chosen) < 12e6, "unpacked and compiled, 40 MB are enough"
