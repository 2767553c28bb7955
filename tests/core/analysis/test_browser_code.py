"""Which node packs have code for the editor."""

import pytest

from pycomfy.core.analysis.browser_code import has_browser_code


@pytest.mark.parametrize(
    "files",
    [
        {"__init__.py": 'WEB_DIRECTORY = "./web"\n'},
        {"__init__.py": 'WEB_DIRECTORY: str = "js"\n'},
        {"__init__.py": "import os\nif True:\n    WEB_DIRECTORY = os.path.join('a', 'b')\n"},
        {"__init__.py": "NODES, WEB_DIRECTORY = {}, 'js'\n"},
        {"__init__.py": "from .src import NODE_CLASS_MAPPINGS, WEB_DIRECTORY\n", "src.py": ""},
        {"__init__.py": "from .src import *\n", "src.py": "WEB_DIRECTORY = 'js'\n"},
        {"__init__.py": "", "pyproject.toml": '[tool.comfy]\nweb = "dist"\n'},
        {"__init__.py": "import nodes\nnodes.EXTENSION_WEB_DIRS['x'] = 'js'\n"},
        {"__init__.py": "from .a import b\n", "a.py": "copy(here, os.path.join(root, 'web', 'extensions', 'mine'))\n"},
    ],
)
def test_a_folder_that_the_editor_loads_is_code_for_it(files: dict[str, str]) -> None:
    assert has_browser_code(files)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"__init__.py": "NODE_CLASS_MAPPINGS = {}\n"},
        {"__init__.py": '# WEB_DIRECTORY = "./web"\n'},
        {"__init__.py": "WEB_DIRECTORY = None\n"},
        {"__init__.py": "if WEB_DIRECTORY == 'x':\n    pass\n"},
        {"__init__.py": "from .a import b\n", "a.py": "WEB_DIRECTORY = 'js'\n"},  # ComfyUI asks the pack's module alone
        {"__init__.py": "", "pyproject.toml": "[tool.comfy]\nPublisherId = 'x'\n"},
        {"__init__.py": "", "pyproject.toml": "not = [TOML"},
        {"__init__.py": "", "pyproject.toml": "[tool]\ncomfy = 1\n"},
        {"web/a.js": "WEB_DIRECTORY = 'x'"},
    ],
)
def test_other_packs_have_none(files: dict[str, str]) -> None:
    assert not has_browser_code(files)


def test_a_hostile_source_is_read_in_time() -> None:
    """These took hours: each name was followed to the end of its line."""
    has_browser_code({"__init__.py": "WEB_DIRECTORY:" * 200_000})
    has_browser_code({"__init__.py": "import * " + "WEB_DIRECTORY " * 200_000, "a.py": "\n" * 2_000_000})
