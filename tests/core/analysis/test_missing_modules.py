import sys
import tomllib

import pytest

from pycomfy.core.analysis.findings import describe_effects, describe_missing_modules
from pycomfy.core.analysis.missing_modules import find_missing_modules, line_to_add, without_needless
from pycomfy.core.analysis.module_names import key, packages, standard_library
from pycomfy.core.analysis.pack_scan import Scan, soften
from tests.support.source_files import comfyui, pack


def missing(scan: Scan, *wheels: str, python: str = "3.11", modules: frozenset[str] = frozenset()) -> list[str]:
    return [m.module for m in find_missing_modules({"p": scan}, python, set(wheels), lambda: modules)]


def test_a_module_is_supplied_by_python_the_pack_comfyui_a_name_or_a_wheels_files() -> None:
    scan = pack(init="import json, own, folder_paths, cv2, segno, dateutil, odd.inner, PIL.Image\n", own="")
    scans = {"ComfyUI": comfyui(main="import folder_paths\n", folder_paths=""), "p": scan}
    wheels = {"opencv-python", "python-dateutil", "pillow", "of-odd"}
    asked = []

    def modules() -> frozenset[str]:
        asked.append(1)
        return frozenset({"odd", "odd.inner"})

    found = find_missing_modules(scans, "3.11", wheels, modules)
    assert [(m.owner, m.module, m.package) for m in found] == [("p", "segno", "segno")]
    assert len(asked) == 1


def test_the_wheels_are_not_asked_where_names_settle_it() -> None:
    def modules() -> frozenset[str]:
        raise AssertionError("asked")

    assert (
        find_missing_modules({"p": pack(init="import yaml, os, torch\n")}, "3.11", {"pyyaml", "torch"}, modules) == ()
    )


def test_of_a_shared_folder_the_very_module_must_be_there() -> None:
    scan = pack(init="from google import genai\nimport google.protobuf\n")
    assert missing(scan, "protobuf", modules=frozenset({"google", "google.protobuf"})) == ["google.genai"]


def test_what_the_code_can_do_without_and_what_is_not_for_linux_is_not_missing() -> None:
    scan = pack(init="try:\n    import sageattention\nexcept ImportError:\n    pass\nimport win32gui\n")
    assert missing(scan) == []


@pytest.mark.parametrize(("module", "left"), [("distutils", "3.12"), ("imp", "3.12"), ("cgi", "3.13")])
def test_a_module_that_python_left_out_is_missing_there(module: str, left: str) -> None:
    scan = pack(init=f"import {module}\n")
    assert missing(scan, python="3.11") == []
    assert missing(scan, python="3.13") == [module]
    assert packages("distutils") == ("setuptools",)


def test_the_standard_library_is_that_of_the_image_not_of_this_python() -> None:
    assert {"tomllib", "asyncore"} <= standard_library("3.11") and "annotationlib" not in standard_library("3.13")
    assert {"os", "msvcrt"} <= standard_library("3.13") <= sys.stdlib_module_names | {"__main__"}


def test_the_package_of_a_module_is_known_or_none_is_named() -> None:
    assert (
        key("google.protobuf.message") == "google.protobuf" and key("PIL.Image") == "PIL" and key("google") == "google"
    )
    assert packages("sklearn") == ("scikit-learn",)
    assert packages("huggingface_hub") == ("huggingface-hub",)
    assert packages("my_module") == packages("impact") == packages("google.nonesuch") == ()
    assert packages("cv2")[0] == "opencv-python-headless"


def test_a_locked_package_of_the_same_name_has_the_module_though_none_is_proposed() -> None:
    scan = pack(init="import my_module, impact\n")
    (found,) = find_missing_modules({"p": scan}, "3.11", {"my-module"}, frozenset)
    assert (found.module, found.package) == ("impact", "")
    told = describe_missing_modules([found], ["x"], [])
    assert "impact (__init__.py line 1)" in told.notes[0] and "unknown which package" in told.notes[0]
    assert not any("requirements = " in note for note in told.notes) and told.findings[0].fix == ""


def test_the_line_adds_to_what_is_there_and_is_toml() -> None:
    found = find_missing_modules({"p": pack(init="import skimage, bs4\n")}, "3.11", (), frozenset)
    assert line_to_add(["requests>=2"], found) == 'requirements = ["requests>=2", "beautifulsoup4", "scikit-image"]'
    marked = "wmi; sys_platform == \"win32\" or os_name == 'nt'"
    assert tomllib.loads(line_to_add([marked], found))["requirements"][0] == marked


def test_nothing_is_certain_of_a_tree_that_was_not_read_whole() -> None:
    scan = soften(pack(init="import a\n"))
    assert [n.how for n in scan.imports] == ["conditional"]


def test_what_is_told_names_place_package_and_line() -> None:
    scans = {
        "ComfyUI": comfyui(main="import requests\ndef f():\n    import trimesh\n"),
        "card": pack(init="\nimport segno\ndef f():\n    import rare\n"),
    }
    found = find_missing_modules(scans, "3.11", (), frozenset)
    told = describe_missing_modules(found, ["x"], ["foreign"])
    text = "\n".join(told.notes)
    assert "ComfyUI imports requests (main.py line 1)" in text
    assert "card imports segno (__init__.py line 2)" in text
    assert 'requirements = ["x", "requests", "segno"]' in text
    assert "rare (__init__.py line 4)" in text and "trimesh" not in text
    assert "foreign" in text
    assert {(f.owner, f.text, f.when) for f in told.findings} == {
        ("ComfyUI", "requests", "plain"),
        ("ComfyUI", "trimesh", "called"),
        ("card", "segno", "plain"),
        ("card", "rare", "called"),
    }
    assert describe_missing_modules((), ["x"], ["foreign"]).notes == ()


def test_a_strangers_text_moves_no_cursor() -> None:
    scan = pack(init="import os\nos.system('pip install \x1b[2J\u202e x')\n")
    (note,) = describe_effects({"p": scan}, {}).notes
    assert note.isprintable() and "pip install" in note


def test_what_only_a_condition_downloads_is_not_called_a_failure() -> None:
    get = "urllib.request.urlretrieve('https://x', 'y')"
    told = describe_effects({"p": pack(init=f"import urllib.request\nif absent:\n    {get}\n")}, {})
    assert [f.certain for f in told.findings] == [False]
    assert "may do this, under conditions" in told.notes[0] and "fails" not in told.notes[0]
    handled = f"import urllib.request\ntry:\n    {get}\nexcept Exception:\n    pass\n"
    assert describe_effects({"p": pack(init=handled)}, {}).notes == ()


def test_an_install_script_that_a_step_runs_is_not_told() -> None:
    scan = pack(init="", install="import os\nos.system('pip install x')\n")
    (note,) = describe_effects({"p": scan}, {}).notes
    assert "install.py line 2" in note and 'steps = [{ run = ["python", "install.py"] }]' in note
    assert describe_effects({"p": scan}, {"p": [["python", "install.py"]]}).notes == ()
    (found,) = describe_effects({"p": scan}, {}, {"p": 'git = "https://host/p"'}).notes
    assert 'below [packs.p] in pycomfy.toml, beside git = "https://host/p": steps' in found, "it has no section yet"


def test_imports_of_other_node_packs_are_not_missing_packages() -> None:
    source = (
        "import importlib\ndef f():\n    importlib.import_module('ComfyUI-Other.x')\n    import ComfyUI_ADV_x.nodes\n"
    )
    assert missing(pack(init=source)) == []
    assert missing(pack(init="import ComfyUI_ADV_x.nodes\n")) == ["ComfyUI_ADV_x"]


def test_no_package_is_proposed_for_what_a_submodule_may_have() -> None:
    scan = soften(pack(init="import segno\ndef f():\n    import gfpgan\n"))
    told = describe_missing_modules(find_missing_modules({"p": scan}, "3.11", (), frozenset), [], [])
    assert told.notes == () and [(f.text, f.certain) for f in told.findings] == [("gfpgan", False), ("segno", False)]


def test_what_is_installed_only_for_want_of_a_module_that_is_there_is_left_out() -> None:
    scan = pack(
        init="""
        try:
            import matplotlib.pyplot as plt
            from PIL import Image
        except ImportError:
            import pip
            pip.main(["install", "matplotlib"])
        try:
            import numpy
            setup()
        except ImportError:
            pip.main(["install", "numpy"])
        """
    )

    def told(*wheels: str) -> list[str]:
        return [effect.text for effect in without_needless({"p": scan}, "3.11", wheels)["p"].effects]

    both = ["pip.main(['install', 'matplotlib'])", "pip.main(['install', 'numpy'])"]
    assert told() == both and told("matplotlib") == both
    # What else the second one tries may fail for another reason.
    assert told("matplotlib", "pillow", "numpy") == both[1:]
