"""The documentation says what is so: its links lead somewhere, its commands and keys exist, and none is left out."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from pycomfy.core.lockfile.config import Config, parse_config
from pycomfy.core.lockfile.config_types import Section
from pycomfy.core.lockfile.lock_types import LockSection
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.errors import PycomfyError
from tests.test_reference import reference

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> Iterator[str]:
    """The fenced blocks of a language; "" for those that name none, which are outputs."""
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL):
        if match[2] == language:
            yield re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)


def subclasses(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The subclasses in pycomfy itself; another test may have added kinds of its own."""
    for child in root.__subclasses__():
        if child.__module__.startswith("pycomfy."):
            yield child
        yield from subclasses(child)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


NEW = {"pycomfy/services/versions/count.py", "pycomfy/cli/count.py", "tests/services/versions/test_count.py"}
"""Files that a page tells the reader to write."""


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_of_the_project_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`((?:pycomfy|nix|tests|templates|benchmarks|scripts|examples)/[\w./-]*)`", page.read_text())
    assert [name for name in named if name not in NEW and not (ROOT / name).exists()] == []


def test_every_page_is_in_the_index() -> None:
    docs = ROOT / "docs"
    listed = set(re.findall(r"\]\(([^)#]+\.md)\)", (docs / "README.md").read_text()))
    assert {str(p.relative_to(docs)) for p in docs.rglob("*.md")} - {"README.md"} - listed == set()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 170


def find_unknown_options(words: list[str]) -> set[str]:
    """Return the options of a command of pycomfy that it does not have. Raises `KeyError` for an unknown command."""
    commands = reference.commands()
    command = commands.get(" ".join(words[1:3])) or commands[words[1]]
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    return {w.partition("=")[0] for w in words[2:] if w.startswith("-")} - known


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_and_their_options_exist(page: Path) -> None:
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True) if line.startswith("pycomfy ") else []
            assert not words or find_unknown_options(words) == set(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_examples_of_the_configuration_are_right(page: Path) -> None:
    for block in blocks(page, "toml"):
        try:
            parse_config(block)
        except PycomfyError as e:
            pytest.fail(f"{e}\n{block}")


def test_every_key_of_the_configuration_is_in_the_reference() -> None:
    text = (REFERENCE / "pycomfy-toml.md").read_text()
    keys = {field.alias or name for s in subclasses(Section) for name, field in s.model_fields.items()}
    assert {key for key in keys if not re.search(rf"`(\[+)?{re.escape(key)}[`.\]]", text)} == set()
    assert Config in subclasses(Section) and issubclass(SourceSpec, Section)


def test_every_field_of_the_lock_is_in_the_reference() -> None:
    text = (REFERENCE / "lock.md").read_text()
    fields = {name for m in subclasses(LockSection) for name in m.model_fields}
    assert {name for name in fields if not re.search(rf"[`.]{name}[`.\[]", text)} == set()
    assert all(f"`{kind}`" in text for kind in get_args(PlatformName))


def test_the_image_is_described_with_all_its_variables_and_labels() -> None:
    text = (REFERENCE / "image.md").read_text()
    config = (ROOT / "nix" / "oci.nix").read_text()
    named = re.findall(r'^ +"([A-Z_]+)=', config, re.MULTILINE) + re.findall(
        r'^ +"([a-z.0-9]+)" =', config, re.MULTILINE
    )
    assert len(named) > 10 and [name for name in named if f"`{name}`" not in text] == []


def test_every_test_that_security_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "security.md").read_text())
    missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / file).read_text()]
    assert named and missing == []
