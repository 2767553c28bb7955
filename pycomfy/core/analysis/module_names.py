"""Which module comes from where: the standard library of a Python, and packages that are not called like their module.

The lists are facts about public packages; they only spare a look into the wheels, which know it exactly.
"""

import sys
from collections.abc import Mapping
from types import MappingProxyType

from packaging.utils import canonicalize_name

from pycomfy.core.analysis.pack_scan import NAMESPACES

# fmt: off
_LEFT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "3.12": frozenset({"asynchat", "asyncore", "distutils", "imp", "smtpd"}),
        "3.13": frozenset(
            [
                "aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib",
                "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib",
            ]
        ),
    }
)
# fmt: on
"""What each version of Python left out (its "What's New", "Removed")."""

_CAME: Mapping[str, frozenset[str]] = MappingProxyType({"3.14": frozenset({"annotationlib", "compression"})})
"""What came with each version after 3.13."""


def standard_library(python: str) -> frozenset[str]:
    """The top-level modules of `python` ("3.11"), whatever Python this runs on."""
    version = _number(python)
    ever = sys.stdlib_module_names.union(*_LEFT.values())
    gone = (names for left, names in _LEFT.items() if _number(left) <= version)
    later = (names for came, names in _CAME.items() if _number(came) > version)
    return ever.difference(*gone, *later) | {"__future__", "__main__"}


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "Crypto": "pycryptodome",
        "Cython": "cython",
        "IPython": "ipython",
        "Levenshtein": "levenshtein",
        "OpenEXR": "openexr",
        "OpenGL": "pyopengl",
        "OpenSSL": "pyopenssl",
        "PIL": "pillow",
        "PyQt5": "pyqt5",
        "antlr4": "antlr4-python3-runtime",
        "attr": "attrs",
        "bs4": "beautifulsoup4",
        "cairo": "pycairo",
        "colour": "colour-science",
        "cpuinfo": "py-cpuinfo",
        "cv2": "opencv-python-headless opencv-python opencv-contrib-python opencv-contrib-python-headless",
        "dateutil": "python-dateutil",
        "distutils": "setuptools",
        "docx": "python-docx",
        "dotenv": "python-dotenv",
        "faiss": "faiss-cpu faiss-gpu",
        "ffmpeg": "ffmpeg-python",
        "fitz": "pymupdf",
        "git": "gitpython",
        "google.auth": "google-auth",
        "google.genai": "google-genai",
        "google.generativeai": "google-generativeai",
        "google.oauth2": "google-auth",
        "google.protobuf": "protobuf",
        "groundingdino": "groundingdino-py",
        "grpc": "grpcio",
        "hydra": "hydra-core",
        "jose": "python-jose",
        "jwt": "pyjwt",
        "lightning_fabric": "pytorch-lightning",
        "magic": "python-magic",
        "mpl_toolkits": "matplotlib",
        "multipart": "python-multipart",
        "nacl": "pynacl",
        "onnxruntime": "onnxruntime onnxruntime-gpu onnxruntime-openvino",
        "open_clip": "open-clip-torch",
        "pkg_resources": "setuptools",
        "pptx": "python-pptx",
        "psycopg2": "psycopg2-binary",
        "pylab": "matplotlib",
        "pynvml": "nvidia-ml-py pynvml",
        "pywt": "pywavelets",
        "qrcode": "qrcode",
        "ruamel.yaml": "ruamel-yaml",
        "serial": "pyserial",
        "skimage": "scikit-image",
        "sklearn": "scikit-learn",
        "skvideo": "scikit-video",
        "slugify": "python-slugify",
        "socketio": "python-socketio",
        "socks": "pysocks",
        "tensorrt": "tensorrt",
        "usb": "pyusb",
        "webcolors": "webcolors",
        "websocket": "websocket-client",
        "wx": "wxpython",
        "yaml": "pyyaml",
        "zmq": "pyzmq",
    }
)
"""Module → the packages that have it, the one to add first."""

NOT_FOR_LINUX = frozenset(
    [
        "win32api",
        "win32con",
        "win32gui",
        "win32file",
        "win32pipe",
        "win32process",
        "pythoncom",
        "pywintypes",
        "win32com",
        "winshell",
        "comtypes",
        "AppKit",
        "Foundation",
        "Quartz",
        "objc",
        "torch_directml",
    ]
)
"""Modules of Windows and macOS: no image can have them."""


def key(module: str) -> str:
    """What has to be supplied for an import of `module`: its first name, in a shared folder its first two."""
    first, _, rest = module.partition(".")
    if first in NAMESPACES and rest and module != first:
        return f"{first}.{rest.partition('.')[0]}"
    return first


def packages(module: str) -> tuple[tuple[str, ...], bool]:
    """The packages that `module`, a `key`, may come from, the one to suggest first; and whether that is known, or only
    taken from the name."""
    for name in (module, module.partition(".")[0]):
        if name in _PACKAGES and (name == module or name not in NAMESPACES or name == "mpl_toolkits"):
            return tuple(_PACKAGES[name].split()), True
    return (canonicalize_name(module.replace(".", "-")),), False
