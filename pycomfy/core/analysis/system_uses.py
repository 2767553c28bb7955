"""Know what node packs use of a system besides Python packages: programs, and fonts; with the Debian package that has
it."""

import re
from collections.abc import Mapping
from types import MappingProxyType

PROGRAMS: Mapping[str, str] = MappingProxyType(
    {
        "7z": "p7zip-full",
        "aria2c": "aria2",
        "blender": "blender",
        "cmake": "cmake",
        "convert": "imagemagick",
        "curl": "curl",
        "espeak": "espeak-ng",
        "espeak-ng": "espeak-ng",
        "exiftool": "libimage-exiftool-perl",
        "fc-list": "fontconfig",
        "fc-match": "fontconfig",
        "ffmpeg": "ffmpeg",
        "ffplay": "ffmpeg",
        "ffprobe": "ffmpeg",
        "gifsicle": "gifsicle",
        "git": "git",
        "git-lfs": "git-lfs",
        "lspci": "pciutils",
        "mediainfo": "mediainfo",
        "node": "nodejs",
        "pngquant": "pngquant",
        "sox": "sox",
        "tesseract": "tesseract-ocr",
        "unzip": "unzip",
        "wget": "wget",
        "zip": "zip",
    }
)
"""Debian packages of programs that packs start, in Debian 12 and 13."""

_FONTS = (
    (r"DejaVu(Sans|Serif)(Mono)?(-Bold)?\.ttf", "fonts-dejavu-core"),
    (r"DejaVu.+\.ttf", "fonts-dejavu-extra"),
    (r"Liberation(Sans|Serif|Mono)-.+\.ttf", "fonts-liberation"),
    (r"Free(Sans|Serif|Mono)\w*\.ttf", "fonts-freefont-ttf"),
    (r"Noto(Sans|Serif)(Mono)?CJK.+\.ttc", "fonts-noto-cjk"),
    (r"NotoColorEmoji\.ttf", "fonts-noto-color-emoji"),
    (r"Noto(Sans|Serif)(Mono)?-.+\.ttf", "fonts-noto-core"),
    (r"Roboto-.+\.ttf", "fonts-roboto-unhinted"),
    (r"OpenSans-.+\.ttf", "fonts-open-sans"),
    (r"Lato-.+\.ttf", "fonts-lato"),
    (r"wqy-zenhei\.ttc", "fonts-wqy-zenhei"),
    (r"wqy-microhei\.ttc", "fonts-wqy-microhei"),
)
_FONT_FOLDER = re.compile(r"/usr/share/fonts(?:/truetype)?/?")
_FONT_FILE = re.compile(r"[^\"'\n]+\.(ttf|otf|ttc)", re.IGNORECASE)
_NO_PROGRAM = re.compile(
    r"No such file or directory: '([\w.+-]+)'|(?:^|\s)(?:\S*/)?(?:sh: \d+: )?([\w.+-]+): not found"
)
_BAD_GIT = re.compile(r"Bad git executable|Failed to initialize: .*git executable")
_NO_FONT = re.compile(r"cannot open resource|unknown file format")
_NO_FONT_FOLDER = re.compile(rf"No such file or directory: '{_FONT_FOLDER.pattern}'")
_TRUETYPE = re.compile(r"""truetype\([^"'\n]{0,100}["']([^"'\n]+)["']""")

GITPYTHON = "gitpython"
"""A package with the module `git`, which fails while it is imported if the program git is missing."""


def font_package(path: str) -> str | None:
    """Return the Debian package of a font, by its file's name, or one for the folder with all fonts; None if no known
    package has it."""
    if is_font_folder(path):
        return "fonts-dejavu-core"
    name = path.replace("\\", "/").rpartition("/")[2]
    return next((package for pattern, package in _FONTS if re.fullmatch(pattern, name)), None)


def is_system_font(path: str) -> bool:
    """Whether a text names a font that the system must have: a font file's bare name, which is looked for in the
    folders of the system, or a path below them."""
    bare = "/" not in path and "\\" not in path
    return bool(_FONT_FILE.fullmatch(path)) and (bare or path.startswith("/usr/share/fonts/"))


def is_font_folder(path: str) -> bool:
    """Whether a path is that of the system's fonts, which an image without any does not have."""
    return _FONT_FOLDER.fullmatch(path) is not None


def missing_package(text: str) -> tuple[str, str] | None:
    """Return what an error's message or traceback says to be missing of the system, and the Debian package that has it:
    ("the program git", "git"). None if it says no such thing, or no known package has it."""
    if _BAD_GIT.search(text):
        return "the program git", "git"
    for found in _NO_PROGRAM.finditer(text):
        name = found[1] or found[2]
        if name in PROGRAMS:
            return f"the program {name}", PROGRAMS[name]
    if _NO_FONT_FOLDER.search(text):
        return "fonts for all programs", "fonts-dejavu-core"
    if _NO_FONT.search(text):
        for font in _TRUETYPE.findall(text)[::-1]:
            if package := font_package(font):
                return f"the font {font.rpartition('/')[2]}", package
    return None
