"""The studio's page, as `make setup` builds it."""

import gzip
import re

import pytest

from pycomfy.server.studio_files import FOLDER

MAX_FIRST_LOAD = 350_000
"""Bytes, compressed, of the page and of what it names: the rest is loaded when it is needed."""


def test_the_first_load_is_small_and_names_nothing_of_another_host() -> None:
    if not (FOLDER / "index.html").is_file():
        pytest.skip("the page was not built: make setup")
    page = (FOLDER / "index.html").read_text()
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert named and all(re.match(r"/[^/]", name) for name in named)
    files = [FOLDER / "index.html", *(FOLDER / name.lstrip("/") for name in named)]
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < MAX_FIRST_LOAD
