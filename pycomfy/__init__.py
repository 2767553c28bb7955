"""Turn a ComfyUI workflow into a pinned, bit-reproducible CUDA OCI image, and keep every version restorable."""

TYPE_CHECKING = False  # as in `typing`, whose import takes time: Ctrl-C would end in its traceback
if TYPE_CHECKING:
    from pycomfy.api import Workspace

__version__ = "0.1.0"
__all__ = ["Workspace", "__version__"]


def __getattr__(name: str) -> object:
    """Import the public API when it is used: `import pycomfy` costs nothing."""
    if name == "Workspace":
        from pycomfy.api import Workspace

        return Workspace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
