"""Versions of node packs of the Comfy registry as sources: each is pinned to a commit of its repository."""

from pycomfy.adapters.catalog.registry_versions import find_registered
from pycomfy.adapters.sources.adapter import PinnedSource, SourceContext
from pycomfy.adapters.sources.git import CommitAdapter, pin_commit
from pycomfy.core.sources.comfy_registry import RegistrySpec


class RegistryAdapter(CommitAdapter[RegistrySpec]):
    """A commit that pycomfy.toml names by a published version."""

    spec_type = RegistrySpec

    def pin(self, spec: RegistrySpec, context: SourceContext) -> PinnedSource:
        environment = context.indexes.environment
        return pin_commit(find_registered(spec, context.owner, context.paths, environment), context)
