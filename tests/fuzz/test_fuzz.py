"""What comes from outside ends in a result or in an error of ours: each input that once did not, and a few new ones."""

import shutil
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.check import Fault, check
from tests.fuzz.mutation import MAX_BYTES, mutate
from tests.fuzz.session import FAULTS, list_faults
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS
from tests.support import properties

EACH = [pytest.param(target, id=name) for name, target in TARGETS.items()]


def outcome(target: Target, data: bytes, folder: Path) -> Fault | None:
    return check(target, data, folder / "input")


@pytest.mark.parametrize("target", EACH)
def test_good_input_is_accepted(target: Target, tmp_path: Path) -> None:
    for seed in target.seeds():
        folder = tmp_path / "input"
        folder.mkdir()
        target.run(seed, folder)
        shutil.rmtree(folder)


@pytest.mark.parametrize("target", EACH)
def test_good_input_is_taken_apart_and_put_together(target: Target, tmp_path: Path) -> None:
    for seed in target.seeds():
        tree = target.format.decode(seed)
        again = target.format.encode(tree)
        assert target.format.decode(again) == tree
        assert len(again) <= MAX_BYTES / 2, "what is made of it is cut off"
        assert outcome(target, again, tmp_path) is None


@pytest.mark.parametrize("target", EACH)
def test_what_once_did_harm_does_none_now(target: Target, tmp_path: Path) -> None:
    for file in list_faults(target.name):
        fault = outcome(target, file.read_bytes(), tmp_path)
        assert fault is None, f"{file.name}: {fault.text}"


@pytest.mark.parametrize("target", EACH)
def test_hostile_input_ends_in_a_result_or_an_error_of_ours(target: Target, tmp_path: Path) -> None:
    random = Random(target.name)
    seeds = target.seeds()
    for _ in range(properties.examples(target.examples)):
        data = mutate(random.choice(seeds), target.format, random)
        fault = outcome(target, data, tmp_path)
        assert fault is None, f"{data!r}: {fault.text}"


def test_every_kept_fault_belongs_to_a_target() -> None:
    assert {folder.name for folder in FAULTS.iterdir() if folder.is_dir()} <= {*TARGETS}
