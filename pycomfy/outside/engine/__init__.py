"""Running containers with Podman or Docker: which one, an image into it, a container out of it."""

from pycomfy.outside.engine.choice import Engine, find_engine
from pycomfy.outside.engine.container import Exit, run_container
from pycomfy.outside.engine.image import LayoutImage, forget, load, read_layout
from pycomfy.outside.engine.spec import ContainerSpec

__all__ = [
    "ContainerSpec",
    "Engine",
    "Exit",
    "LayoutImage",
    "find_engine",
    "forget",
    "load",
    "read_layout",
    "run_container",
]
