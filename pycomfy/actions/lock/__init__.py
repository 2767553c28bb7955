"""`lock`: a workflow and its pycomfy.toml become pycomfy.lock; a module for each part of it."""

from pycomfy.actions.lock.lock import LockResult, lock

__all__ = ["LockResult", "lock"]
