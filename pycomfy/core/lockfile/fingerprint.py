"""Fingerprint the environment that ComfyUI runs in: the lock without the workflow and its models."""

import hashlib
from collections.abc import Mapping

from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, WorkflowPin, render_lock


def environment_fingerprint(lock: Lock, platform: PlatformName, gateway: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of everything in the lock that one platform's ComfyUI is made of, and of the files of the
    gateway, which starts it.

    Workflows with the same hash have the same node definitions, so these are read once for all of them.
    """
    bare = lock.model_copy(
        update={
            "name": "environment",
            "workflow": WorkflowPin(sha256="0" * 64),
            "models": (),
            "packs": tuple(p.model_copy(update={"types": ()}) for p in lock.packs),
            "platforms": {platform: lock.platforms[platform].model_copy(update={"browser": None})},
        }
    )
    digest = hashlib.sha256(render_lock(bare).encode())
    for path, data in sorted(gateway.items()):
        digest.update(f"\n{path} {hashlib.sha256(data).hexdigest()}".encode())
    return digest.hexdigest()
