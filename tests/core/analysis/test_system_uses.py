"""Programs, fonts and weights that node packs use, which no Python package brings."""

import pytest

from pycomfy.core.analysis.findings import describe_uses
from pycomfy.core.analysis.pack_scan import Scan
from pycomfy.core.analysis.system_uses import missing_package
from tests.support.source_files import pack


def used(scan: Scan) -> list[tuple[str, str, int]]:
    return [(use.kind, use.name, use.line) for use in scan.uses]


def test_programs_that_a_pack_starts_are_found() -> None:
    scan = pack(
        init="""
        import subprocess, os, sys
        from PIL import ImageFont
        GIT = ["git", "rev-parse", "HEAD"]
        def version():
            return subprocess.check_output(GIT)
        def other():
            os.system("ffmpeg -i a b")
            subprocess.run([sys.executable, "git"])
            subprocess.run(["unheard-of", "git"])
            try:
                subprocess.run(["wget", "x"])
            except Exception:
                pass
        """
    )
    assert used(scan) == [("program", "git", 6), ("program", "ffmpeg", 8)]


def test_fonts_that_the_system_must_have_are_found_and_those_of_the_pack_are_not() -> None:
    scan = pack(
        init="""
        import os
        from PIL import ImageFont
        HERE = os.path.dirname(__file__)
        def draw():
            ImageFont.truetype("DejaVuSans.ttf", 20)
            ImageFont.truetype("/usr/share/fonts/truetype/lato/Lato-Regular.ttf", 20)
            ImageFont.truetype(os.path.join(HERE, "NotoSans-Regular.ttf"), 20)
            ImageFont.truetype("fonts/own.ttf", 20)
            try:
                ImageFont.truetype("arial.ttf", 20)
            except OSError:
                ImageFont.load_default()
        """
    )
    assert used(scan) == [
        ("font", "DejaVuSans.ttf", 6),
        ("font", "/usr/share/fonts/truetype/lato/Lato-Regular.ttf", 7),
    ]


def test_the_folder_of_the_systems_fonts_needs_any_package_of_fonts() -> None:
    scan = pack(
        init="""
        import os, platform
        def fonts():
            folder = os.environ.get("FONTS")
            if platform.system() == "Linux":
                folder = "/usr/share/fonts/truetype"
            return os.listdir(folder), os.listdir("/usr/share/doc")
        """
    )
    assert used(scan) == [("font", "/usr/share/fonts/truetype", 7)]
    assert describe_uses({"p": scan}, ("git",), ()).findings[0].fix == 'apt = ["git", "fonts-dejavu-core"]'
    assert describe_uses({"p": scan}, ("fonts-liberation",), ()).findings == ()


def test_weights_that_a_node_fetches_while_it_runs_are_found() -> None:
    scan = pack(
        init="""
        from huggingface_hub import hf_hub_download, snapshot_download
        REPO = "someone/weights"
        class Node:
            def run(self, name):
                hf_hub_download(repo_id=REPO, filename="model.safetensors")
                snapshot_download("other/thing")
                snapshot_download(name)
        """
    )
    assert used(scan) == [("weights", "someone/weights", 6), ("weights", "other/thing", 7)]


def test_what_is_fetched_while_the_pack_is_imported_is_told_as_that_only() -> None:
    scan = pack(init='from huggingface_hub import snapshot_download\nsnapshot_download("a/b")\n')
    assert [effect.action for effect in scan.effects] == ["downloads"]
    assert scan.uses == ()


def test_one_line_adds_the_packages_that_are_not_there_yet() -> None:
    code = "import subprocess\ndef f():\n    subprocess.run(['git'])\n    subprocess.run(['ffmpeg'])\n"
    found = describe_uses({"painter": pack(init=code)}, ["ffmpeg"], ())
    (note,) = found.notes
    assert "git (painter: git, __init__.py line 3)" in note
    assert note.endswith('at the top of pycomfy.toml, in place of its apt: apt = ["ffmpeg", "git"]')
    assert [(f.kind, f.text, f.when, f.certain, f.fix) for f in found.findings] == [
        ("program", "git", "used", False, 'apt = ["ffmpeg", "git"]')
    ]
    assert describe_uses({"painter": pack(init=code)}, ["ffmpeg", "git"], ()).notes == ()


def test_the_package_gitpython_needs_the_program() -> None:
    scans = {"painter": pack(init="import git\nfrom git import Repo\n")}
    assert [f.line for f in describe_uses(scans, (), {"gitpython"}).findings] == [1]
    assert describe_uses(scans, (), ()).findings == (), "some other module with that name"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ImportError: Bad git executable.\nThe git executable must be", ("the program git", "git")),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'ffprobe'", ("the program ffprobe", "ffmpeg")),
        ("/bin/sh: 1: git: not found", ("the program git", "git")),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'settings.json'", None),
        ("models: not found", None),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: '/usr/share/fonts/truetype'",
            ("fonts for all programs", "fonts-dejavu-core"),
        ),
        (
            'f = ImageFont.truetype("DejaVuSans.ttf", 9)\n  raise\nOSError: cannot open resource',
            ("the font DejaVuSans.ttf", "fonts-dejavu-core"),
        ),
        ('f = ImageFont.truetype("arial.ttf", 9)\nOSError: cannot open resource', None),
        ("OSError: cannot open resource", None),
    ],
)
def test_an_error_says_which_package_is_missing(text: str, expected: tuple[str, str] | None) -> None:
    assert missing_package(text) == expected


def test_a_hostile_error_is_read_in_time() -> None:
    """It took hours: each call was followed to the end of its line."""
    assert missing_package("cannot open resource " + "truetype(" * 200_000) is None
