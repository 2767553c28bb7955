import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.analysis.evaluator_values import Trees
from pycomfy.core.analysis.pack_scan import Scan, scan_comfyui, scan_pack
from tests.support.source_files import comfyui, pack


def how(scan: Scan) -> dict[str, str]:
    return {needed.module: needed.how for needed in scan.imports}


def test_how_firmly_a_module_is_imported_is_told() -> None:
    scan = pack(
        init="""
        import plain, dotted.inner
        from taken import f
        import contextlib, sys
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import types_only
        if sys.platform == "win32":
            import conditional
        try:
            import guarded
        except ImportError:
            guarded = None
            import instead
        try:
            import not_guarded
        except KeyError:
            pass
        with contextlib.suppress(ImportError):
            import suppressed
        class Node:
            import in_a_class
            def run(self):
                import called
                try:
                    import called_and_guarded
                except ModuleNotFoundError:
                    raise
        if __name__ == "__main__":
            import main_only
        """
    )
    assert how(scan) == {
        "plain": "plain",
        "dotted.inner": "plain",
        "taken": "plain",
        "contextlib": "plain",
        "sys": "plain",
        "typing": "plain",
        "types_only": "guarded",
        "conditional": "conditional",
        "guarded": "guarded",
        "instead": "guarded",
        "not_guarded": "plain",
        "suppressed": "guarded",
        "in_a_class": "plain",
        "called": "called",
        "called_and_guarded": "guarded",
        "main_only": "called",
    }


def test_the_firmest_import_of_a_module_counts_with_its_place() -> None:
    scan = pack(init="from .a import x\ntry:\n    import m\nexcept ImportError:\n    pass\n", a="\n\nimport m\n")
    (needed,) = scan.imports
    assert (needed.path, needed.line, needed.how) == ("a.py", 3, "plain")


def test_only_files_that_the_pack_imports_count() -> None:
    scan = pack(
        init="from .nodes import A\nfrom . import more\nfrom .sub import deep as d\n",
        nodes="import reached\n",
        more="import reached_too\n",
        sub__init="import in_between\n",
        sub__deep="import deepest\nfrom ..side import y\n",
        side="import sideways\n",
        tests__test_nodes="import pytest\n",
        setup="import setuptools\n",
    )
    assert set(how(scan)) == {"reached", "reached_too", "in_between", "deepest", "sideways"}


def test_what_a_function_imports_stays_soft_all_the_way() -> None:
    scan = pack(
        init="def f():\n    from .heavy import g\n", heavy="import big\nfrom . import more\n", more="import m\n"
    )
    assert how(scan) == {"big": "called", "m": "called"}


def test_a_file_of_the_packs_own_is_needed_even_where_its_import_is_guarded() -> None:
    scan = pack(init="try:\n    from .nodes import *\nexcept Exception as e:\n    print(e)\n", nodes="import missing\n")
    assert how(scan) == {"missing": "conditional"}


def test_files_on_a_path_of_the_packs_own_are_its_own() -> None:
    scan = pack(
        init="import sys; sys.path.insert(0, 'lib')\nimport helper\nimport lib2.inner\nimport other\n",
        lib__helper="import far\n",
        vendored__lib2__inner="",
    )
    assert set(how(scan)) == {"sys", "far", "other"}
    assert {"helper", "lib2", "inner", "vendored"} <= scan.own_names


def test_a_pack_that_imports_by_computed_names_may_import_all_its_files_but_tests() -> None:
    scan = pack(
        init="import importlib\nfor n in NAMES:\n    importlib.import_module(f'.{n}', __name__)\n",
        nodes__a="import needed_by_a\n",
        tests__test_a="import pytest\n",
        install="import pip\n",
    )
    assert how(scan) == {"importlib": "plain", "needed_by_a": "conditional"}


def test_an_import_by_a_written_name_is_followed() -> None:
    scan = pack(
        init="import importlib\nimportlib.import_module('.a', __package__)\n__import__('named')\n", a="import m\n"
    )
    assert how(scan) == {"importlib": "plain", "m": "plain", "named": "plain"}


def test_of_a_shared_folder_what_is_taken_from_it_counts() -> None:
    assert set(how(pack(init="from google import genai, protobuf\nfrom google.cloud import storage\n"))) == {
        "google.genai",
        "google.protobuf",
        "google.cloud",
    }


def test_comfyui_is_scanned_from_main_and_its_node_files() -> None:
    scan = comfyui(
        main="import comfy.sd\nimport app.x\n",
        comfy__sd="import model_management\nimport torch\n",
        comfy__model_management="import psutil\n",
        app__x="import requests\n",
        comfy_extras__nodes_more="import scipy\n",
        **{"tests-unit__t": "import pytest\n", "script_examples__s": "import websocket\n"},
    )
    assert set(how(scan)) == {"torch", "psutil", "requests", "scipy"}
    assert {"comfy", "app", "main", "model_management"} <= scan.own_names and "sd.x" not in scan.own_names


def effects(scan: Scan) -> list[tuple[str, str, str, int]]:
    return [(e.when, e.action, e.path, e.line) for e in scan.effects]


@pytest.mark.parametrize(
    ("code", "deed"),
    [
        ("import os\nos.system('pip install segno')", "installs"),
        ("import os, sys\nos.system(f'{sys.executable} -m pip install x')", "installs"),
        ("import subprocess, sys\nsubprocess.check_call([sys.executable, '-m', 'pip', 'install', 'x'])", "installs"),
        ("from subprocess import run as r\nr(['uv', 'pip', 'install', 'x'])", "installs"),
        ("import subprocess\ncmd = ['python', '-m', 'pip']\nsubprocess.run(cmd + ['install', 'x'])", "installs"),
        ("import pip\npip.main(['install', 'x'])", "installs"),
        ("from pip._internal import main\nmain(['install', 'x'])", "installs"),
        ("import subprocess\nsubprocess.run('git clone https://x', shell=True)", "downloads"),
        ("import urllib.request\nurllib.request.urlretrieve('https://x', 'y')", "downloads"),
        ("from urllib.request import urlretrieve as get\nget('https://x', 'y')", "downloads"),
        ("import requests\nopen('x', 'wb').write(requests.get('https://x').content)", "downloads"),
        ("from huggingface_hub import hf_hub_download\nhf_hub_download('a/b', 'c')", "downloads"),
        ("import torch\nmodel = torch.hub.load('a/b', 'c')", "downloads"),
        ("import subprocess\nsubprocess.run(['ffmpeg', '-version'])", ""),
        ("import os\nos.system('nvidia-smi')", ""),
        ("import requests\nsession = requests.Session()", ""),
    ],
)
def test_what_installs_or_downloads_is_known_by_its_call(code: str, deed: str) -> None:
    lines = len(code.splitlines())
    assert effects(pack(init=code)) == ([("imported", deed, "__init__.py", lines)] if deed else [])


def test_what_runs_while_the_pack_is_imported_is_told_and_what_a_node_does_is_not() -> None:
    scan = pack(
        init="""
        from .setup_env import ensure
        from . import fetcher
        def direct():
            inner()
        def inner():
            os.system("pip install a")
        def never():
            os.system("pip install b")
        import os
        try:
            import rare
        except ImportError:
            direct()
        ensure()
        fetcher.get_all()
        class Node:
            def run(self):
                os.system("pip install c")
        """,
        setup_env="import subprocess\ndef ensure():\n    subprocess.run(['pip', 'install', 'd'])\n",
        fetcher="import urllib.request as u\ndef get_all():\n    u.urlretrieve('https://x', 'y')\n",
    )
    assert effects(scan) == [
        ("imported", "installs", "__init__.py", 7),
        ("imported", "downloads", "fetcher.py", 3),
        ("imported", "installs", "setup_env.py", 3),
    ]


def certainty(scan: Scan) -> dict[int, bool]:
    return {e.line: e.certain for e in scan.effects}


def test_a_download_that_is_guarded_is_no_certain_failure() -> None:
    scan = pack(
        init="""
        import os, contextlib
        from urllib.request import urlretrieve
        urlretrieve("https://x", "always")
        if not os.path.exists("a"):
            urlretrieve("https://x", "a")
        os.path.exists("b") or urlretrieve("https://x", "b")
        try:
            urlretrieve("https://x", "c")
        except Exception as e:
            print(e)
        try:
            urlretrieve("https://x", "d")
        except OSError:
            raise
        with contextlib.suppress(OSError):
            urlretrieve("https://x", "e")
        try:
            import rare
        except ImportError:
            os.system("pip install rare")
        def early():
            if os.path.exists("f"):
                return
            urlretrieve("https://x", "f")
        early()
        def inner():
            urlretrieve("https://x", "g")
        try:
            inner()
        except Exception:
            pass
        for name in ("h", "i"):
            urlretrieve("https://x", name)
        """
    )
    assert certainty(scan) == {4: True, 6: False, 7: False, 13: True, 21: False, 25: False, 34: True}


def test_the_most_certain_way_to_a_download_counts() -> None:
    twice = "def get():\n    urlretrieve('https://x', 'y')\ntry:\n    get()\nexcept Exception:\n    pass\n{}"
    head = "from urllib.request import urlretrieve\n"
    assert certainty(pack(init=head + twice.format(""))) == {}
    assert certainty(pack(init=head + twice.format("if x:\n    get()\n"))) == {3: False}
    assert certainty(pack(init=head + twice.format("get()\n"))) == {3: True}


def test_a_file_whose_import_is_guarded_downloads_only_perhaps() -> None:
    fetcher = "import urllib.request\nurllib.request.urlretrieve('https://x', 'y')\n"
    assert certainty(pack(init="try:\n    from . import a\nexcept Exception:\n    pass\n", a=fetcher)) == {2: False}
    assert certainty(pack(init="def f():\n    from . import a\n", a=fetcher)) == {}


def test_scripts_that_others_run_are_told_apart() -> None:
    scan = pack(
        init="NODE_CLASS_MAPPINGS = {}\n",
        install="""
        import os
        from tools import get
        def main():
            os.system("pip install x")
        if __name__ == "__main__":
            main()
            get()
        """,
        tools="import urllib.request\ndef get():\n    urllib.request.urlretrieve('https://x', 'y')\n",
        prestartup_script="import os\nos.system('pip install y')\nimport absent\n",
    )
    assert scan.scripts == ("install.py", "prestartup_script.py")
    assert effects(scan) == [
        ("installed", "installs", "install.py", 5),
        ("installed", "downloads", "tools.py", 3),
        ("started", "installs", "prestartup_script.py", 2),
    ]
    assert how(scan) == {"os": "called", "absent": "called"}


def test_a_file_that_is_no_python_says_nothing() -> None:
    assert pack(init="import a\nfrom . import b\n", b="print 'old'\nimport c\n").imports[0].module == "a"


names = st.sampled_from(["__init__.py", "a.py", "b/__init__.py", "b/c.py", "install.py", "main.py", "nodes.py"])
lines = st.sampled_from(
    [
        "import a", "from . import a", "from .b import c", "from b.c import *", "import importlib",
        "importlib.import_module(x)", "def f():\n    f()\n    import z", "f()", "try:\n    import q\nexcept:\n    f()",
        "import os; os.system('pip install')", "from ... import up", "class A(f()):\n    import k",
    ]
)  # fmt: skip
trees = st.dictionaries(names, st.lists(lines, max_size=6).map("\n".join) | st.text(max_size=40), max_size=5)


@given(trees)
def test_any_tree_is_scanned_and_the_order_of_its_files_says_nothing(files: dict[str, str]) -> None:
    turned = dict(reversed(files.items()))
    for scan in (scan_pack, scan_comfyui):
        assert scan(list(files), Trees(files).tree) == scan(list(turned), Trees(turned).tree)


def test_a_deep_tree_ends() -> None:
    text = "".join(" " * i + "if x:\n" for i in range(90)) + " " * 90 + "import deep\n"
    assert how(pack(init=text + "y = " + "(" * 80 + "1" + ")" * 80)) == {"deep": "conditional"}


def test_an_import_under_the_question_whether_its_module_is_there_is_guarded() -> None:
    scan = pack(
        init="""
        import importlib.util
        if is_flash_attn_2_available():
            import flash_attn
        if importlib.util.find_spec("xformers") is not None and sys.platform:
            import xformers
        if HAS_SAGE:
            import sageattention
        if importlib.util.find_spec("bitsandbytes") is None:
            import instead
        if available:
            import conditional
        """
    )
    assert how(scan) == {
        "importlib.util": "plain",
        "flash_attn": "guarded",
        "xformers": "guarded",
        "sageattention": "guarded",
        "instead": "conditional",
        "conditional": "conditional",
    }


def test_a_hostile_source_is_scanned_in_time() -> None:
    """A file of 160 kB took a minute, and each further call another: `pip` was looked for behind each `pip`."""
    texts = "".join(f"x = '{'pip git ' * 120}{i}'\n" for i in range(200))
    weights = "".join(f"y = 'a{i}/b'\n" for i in range(2000))
    scan = pack(
        init="import subprocess\n" + texts + weights + "subprocess.run(x)\n" * 3000 + "hf_hub_download(y)\n" * 3000
    )
    assert scan.effects and len(scan.uses) <= 200
    assert [effect.action for effect in scan.effects] == ["downloads"] * len(scan.effects)
