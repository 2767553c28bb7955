"""Map modules to their origin: the standard library of a Python, and packages that are not named like their module.

The lists are facts about public packages. They only save reading the wheels, which say it exactly.
"""

import sys
from collections.abc import Mapping
from types import MappingProxyType

from packaging.utils import canonicalize_name

from pycomfy.core.analysis.pack_scan import NAMESPACES

# fmt: off
_REMOVED: Mapping[str, frozenset[str]] = MappingProxyType(
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
"""The modules that each version of Python removed ("What's New", "Removed")."""

_ADDED: Mapping[str, frozenset[str]] = MappingProxyType({"3.14": frozenset({"annotationlib", "compression"})})
"""The modules that each version after 3.13 added."""


def standard_library(python: str) -> frozenset[str]:
    """Return the top-level modules of `python` ("3.11"), whatever Python this runs on."""
    version = _number(python)
    ever = sys.stdlib_module_names.union(*_REMOVED.values())
    removed = (names for since, names in _REMOVED.items() if _number(since) <= version)
    later = (names for since, names in _ADDED.items() if _number(since) > version)
    return ever.difference(*removed, *later) | {"__future__", "__main__"}


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
"""Module → the packages that have it, the one to suggest first."""

# fmt: off
_SAME_NAME = frozenset(
    [
        "accelerate", "aiohttp", "albumentations", "av", "bitsandbytes", "boto3", "cachetools", "chardet",
        "color_matcher", "colorama", "controlnet_aux", "cryptography",
        "ctranslate2", "decord", "deepdiff", "diffusers", "easydict", "einops", "facexlib",
        "fairscale", "fastapi", "filelock", "flask", "ftfy", "fvcore", "gdown", "gfpgan", "gguf", "gradio", "h5py",
        "httpx", "huggingface_hub", "imageio", "imageio_ffmpeg", "importlib_metadata", "iopath", "insightface", "jax",
        "jinja2", "joblib", "jsonschema", "kornia", "lark", "librosa", "lmdb", "loguru", "lpips",
        "lxml", "markdown", "matplotlib", "mediapipe", "moviepy", "mss", "natsort", "networkx", "ninja", "nltk",
        "numba", "numexpr", "numpy", "ollama", "omegaconf", "onnx", "open3d", "openai", "optimum", "packaging",
        "pandas", "peft", "piexif", "pilgram", "pillow_heif", "platformdirs", "plyfile", "pooch",
        "psutil", "pycocotools", "pydantic", "pydub", "pymatting", "pyparsing", "pyperclip",
        "pytorch_lightning", "pytz", "realesrgan", "regex", "rembg", "requests", "rich", "safetensors",
        "scipy", "seaborn", "segment_anything", "segno", "sentencepiece", "setuptools", "shapely", "simpleeval", "six",
        "sounddevice", "soundfile", "soxr", "spandrel", "spandrel_extra_arches", "sqlalchemy", "sympy", "tabulate",
        "tensorboard", "tensorflow", "termcolor", "tiktoken", "timm", "tokenizers", "toml", "tomli", "tomlkit",
        "torch", "torchaudio", "torchdiffeq", "torchmetrics", "torchsde", "torchvision", "tqdm", "transformers",
        "transparent_background", "trimesh", "triton", "ultralytics", "uvicorn", "vtracer", "watchdog", "wget",
        "xformers", "xxhash", "yacs", "yapf", "yt_dlp",
    ]
)
# fmt: on
"""Modules in well-known packages of the same name, written as for Python."""

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
    """Return what must exist for an import of `module`: its first name, or its first two in a namespace package."""
    first, _, rest = module.partition(".")
    if first in NAMESPACES and rest and module != first:
        return f"{first}.{rest.partition('.')[0]}"
    return first


def packages(module: str) -> tuple[str, ...]:
    """Return the packages that are known to have `module`, a `key`, the one to suggest first; or none.

    A name is never derived from the module's: anybody may register it, and what is in it would run in the image.
    """
    for name in (module, module.partition(".")[0]):
        if name in _PACKAGES and (name == module or name not in NAMESPACES or name == "mpl_toolkits"):
            return tuple(_PACKAGES[name].split())
    return (namesake(module),) if module in _SAME_NAME else ()


def namesake(module: str) -> str:
    """Return the package that is called like `module`. That it has the module is likely only if somebody who knows has
    chosen it already: it is for comparing, not for proposing."""
    return str(canonicalize_name(module.replace(".", "-")))
