"""`serve`: ComfyUI itself, reachable from outside the container."""

import os

from .gpu import has_gpu
from .launch import plan_command, plan_environment, write_model_paths
from .places import Places


def run(places: Places) -> int:
    """Become ComfyUI: signals reach it and its exit status is the container's, without anything in between."""
    places.prepare()
    listen = "0.0.0.0"  # noqa: S104  the container's own network; who may reach it is decided outside
    command = plan_command(places, listen=listen, cpu=not has_gpu(), model_paths=write_model_paths(places))
    os.chdir(places.data)
    os.execve(command[0], command, plan_environment(places, os.environ))  # noqa: S606  no shell is the point
