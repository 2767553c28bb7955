from dataclasses import replace
from typing import Any

import pytest

from pycomfy.core.analysis.findings import Finding
from pycomfy.core.lockfile.schema import Lock, Pack
from pycomfy.core.requirements.model import RequiredNode
from pycomfy.core.sources.path import PathSource
from pycomfy.core.versions.verification import (
    ImportFailure,
    NodeDefinitions,
    Remark,
    Suspect,
    Verification,
    find_suspect,
    suggest_fixes,
    suspect_missing,
    verify_nodes,
)
from pycomfy.errors import RunFailed, UnknownNode
from tests.support.service_projects import TREE, make_lock

TRACEBACK = "Traceback (most recent call last):\n  File \"a.py\", line 1\nModuleNotFoundError: No module named 'segno'"
FAILED = ImportFailure("card", "No module named 'segno'", TRACEBACK)


def lock(**packs: tuple[str, ...]) -> Lock:
    made = tuple(Pack(name=n, source=PathSource(path=n, tree=TREE), types=types) for n, types in packs.items())
    return make_lock("w", b"{}", pack=None).model_copy(update={"packs": made})


def proof(pins: Lock, *nodes: str, failures: tuple[ImportFailure, ...] = (), **types: str) -> Verification:
    """`types`: what the image has, and from which module."""
    needed = [RequiredNode(str(i), type_, type_, "runs") for i, type_ in enumerate(nodes, start=1)]
    answer: dict[str, Any] = {t: {"python_module": module} for t, module in types.items()}
    remarks = (Remark("card", "UserWarning: old"), Remark("card", "x\nValueError: no"), Remark("gone", "no pack's"))
    return verify_nodes(pins, needed, NodeDefinitions("0.3.75", answer, failures, remarks))


def test_an_image_with_every_node_passes() -> None:
    made = proof(lock(card=("Card",)), "Card", "Save", Card="custom_nodes.card", Save="nodes", Other="nodes")
    assert made.passed and made.problems("w.json") == []
    assert made.compatible == {"card": True} and made.count == 3
    assert [(p.name, p.types) for p in made.parts] == [("ComfyUI", ("Save",)), ("card", ("Card",))]
    assert made.warnings() == ["the node pack card says: UserWarning: old (and 1 more)"]


def test_nodes_that_do_not_run_are_not_needed() -> None:
    muted = RequiredNode("1", "Card", "Card", "muted")
    assert verify_nodes(lock(card=("Card",)), [muted], NodeDefinitions("", {}, ())).passed


def test_a_pack_that_cannot_be_imported_is_one_problem_with_its_traceback_and_fix() -> None:
    made = proof(lock(card=("A", "B")), "A", "B", failures=(FAILED,))
    assert not made.passed and made.compatible == {"card": False}
    (problem,) = made.problems("w.json")
    assert isinstance(problem, RunFailed)
    assert problem.what == "the node pack card cannot be imported: No module named 'segno'"
    assert 'node types "A", "B": node 1, node 2 of w.json' in problem.where and problem.details.endswith("'segno'")
    assert 'requirements = ["segno"]' in problem.fix


def test_a_pack_that_is_loaded_but_lacks_a_type_is_reported_with_what_it_printed() -> None:
    made = proof(lock(card=("A", "B")), "A", "B", A="custom_nodes.card")
    (problem,) = made.problems("w.json")
    assert isinstance(problem, UnknownNode)
    assert problem.what == 'the node pack card is loaded, but does not have the node type "B"'
    assert (problem.where, problem.details) == ("node 2 of w.json", "UserWarning: old\nx\nValueError: no")
    assert "lock node=card=COMMIT" in problem.fix


def test_a_type_that_comes_from_another_pack_than_the_lock_says_is_a_problem() -> None:
    made = proof(lock(card=("A",), other=()), "A", A="custom_nodes.other")
    (problem,) = made.problems("w.json")
    assert "from the node pack other, not from card" in problem.what
    assert made.compatible == {"card": False, "other": True}
    assert proof(lock(card=("A",)), "A", A="nodes").passed, "ComfyUI has it by now"


def test_a_type_that_comfyui_lacks_is_reported_with_its_own_failures() -> None:
    audio = ImportFailure("nodes_audio.py", "it could not be imported", "")
    made = proof(lock(), "LoadAudio", failures=(audio,))
    (problem,) = made.problems("w.json")
    assert "the ComfyUI in the image" in problem.what and "nodes_audio.py" in problem.details


def test_failures_of_what_is_not_needed_are_warnings() -> None:
    audio = ImportFailure("nodes_audio.py", "no", "")
    made = proof(lock(card=()), failures=(FAILED, audio))
    assert made.passed and made.compatible == {"card": False}
    assert made.warnings() == [
        "the node pack card cannot be imported, and is not needed: No module named 'segno'",
        "ComfyUI's module nodes_audio.py cannot be imported, and is not needed: no",
    ]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("No module named 'cv2'", 'requirements = ["opencv-python-headless"]'),
        ("No module named 'segno.helpers'; 'segno' is not a package", 'overrides = ["segno==…"]'),
        ("No module named 'google.genai'", 'requirements = ["google-genai"]'),
        ("No module named 'comfy.sd1'", "made for another ComfyUI"),
        ("cannot import name 'x' from 'comfy_extras.nodes' (/opt/…)", "made for another ComfyUI"),
        ("cannot import name 'x' from 'PIL.Image' (/opt/…)", 'overrides = ["pillow==…"]'),
        ("libGL.so.1: cannot open shared object file: No such file", 'apt = ["libgl1"]'),
        ("libodd.so.3: cannot open shared object file: No such file", "the Debian package of libodd.so.3, at"),
        ("division by zero", "lock node=card=COMMIT"),
    ],
)
def test_the_fix_is_that_of_the_cause(message: str, told: str) -> None:
    fixes = suggest_fixes(ImportFailure("card", message, ""), "card")
    assert any(told in str(fix) for fix in fixes)


@pytest.mark.parametrize(
    "message",
    [
        "No module named 'impact.subpack_nodes'",
        "No module named 'impact'",
        "No module named 'my_helpers.inner'",
        "cannot import name 'x' from 'impact' (/opt/…)",
    ],
)
def test_no_package_is_proposed_because_its_name_is_like_a_modules(message: str) -> None:
    text = "".join(map(str, suggest_fixes(ImportFailure("card", message, ""), "card")))
    assert text and "requirements = [" not in text and "overrides" not in text


def test_what_several_packs_lack_is_one_line_of_each_kind() -> None:
    messages = ("No module named 'segno'", "No module named 'cv2'", "Bad git executable.", "No module named 'unheard'")
    names = [f"pack{number}" for number in range(len(messages))]
    failures = tuple(ImportFailure(name, message, "") for name, message in zip(names, messages, strict=True))
    made = proof(lock(**{name: (name.title(),) for name in names}), *map(str.title, names), failures=failures)
    assert len(made.problems("w.json")) == 4
    assert made.what_to_add == ['requirements = ["opencv-python-headless", "segno"]', 'apt = ["git"]']


def test_a_program_that_is_missing_is_fixed_by_its_debian_package() -> None:
    failure = ImportFailure("card", "[Errno 2] No such file or directory: 'git'", "")
    assert suggest_fixes(failure, "card") == (
        "add the Debian package with the program git, at the top of pycomfy.toml or to its apt:"
        ' apt = ["git"]; and lock again',
    )


@pytest.mark.parametrize(
    ("message", "wheels", "found"),
    [
        ("No module named 'segno'", (), Suspect("segno", missing=True)),
        ("No module named 'somebodys'", (), None),
        ("No module named 'transformers.old'", ("transformers",), Suspect("transformers", missing=False)),
        ("cannot import name 'x' from 'cv2.y' (/a/b.py)", ("opencv-python",), Suspect("opencv-python", missing=False)),
        ("cannot import name 'x' from 'somebodys'", ("somebodys",), Suspect("somebodys", missing=False)),
        ("cannot import name 'x' from 'transformers'", (), None),
        ("module 'numpy' has no attribute 'bool8'", ("numpy",), Suspect("numpy", missing=False)),
        ("cannot import name 'x' from 'comfy.utils'", ("comfy",), None),
        ("[Errno 2] No such file or directory", ("numpy",), None),
    ],
)
def test_a_failed_import_points_at_a_package(message: str, wheels: tuple[str, ...], found: Suspect | None) -> None:
    assert find_suspect(ImportFailure("card", message, ""), wheels) == found


def test_what_a_pack_imports_and_nothing_has_may_be_what_it_lacks() -> None:
    found = [
        Finding("downloads", "a", "imported", "__init__.py", 1, "segno"),
        Finding("import", "a", "conditional", "__init__.py", 2, "somebodys", certain=False),
        Finding("import", "a", "conditional", "__init__.py", 3, "matplotlib", certain=False),
        Finding("import", "a", "conditional", "__init__.py", 4, "segno", certain=False),
    ]
    assert suspect_missing(found) == {"a": Suspect("matplotlib", missing=True)}


def test_what_was_tried_is_told_in_place_of_what_may_help() -> None:
    made = proof(lock(card=("A",), other=("B",)), "A", "B", failures=(FAILED, replace(FAILED, pack="other")))
    first, second = made.with_remedies({"card": "that line"}).problems("w.json")
    assert first.fixes == ("that line",) and second.fixes == made.problems("w.json")[1].fixes
