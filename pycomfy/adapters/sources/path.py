"""Local folders as sources."""

from pathlib import Path

from pycomfy.adapters.nix import nar_writer
from pycomfy.adapters.sources.adapter import PinnedSource, SourceContext, TreeAdapter
from pycomfy.adapters.sources.local_folder import copy_code
from pycomfy.adapters.sources.text_files import Selection, read_texts, scratch_folder
from pycomfy.core.sources.path import PathSource, PathSpec


class PathAdapter(TreeAdapter[PathSpec, PathSource]):
    """A folder of this machine."""

    spec_type = PathSpec
    source_type = PathSource

    def pin(self, spec: PathSpec, context: SourceContext) -> PinnedSource:
        with scratch_folder(context.paths) as folder:
            copy_code(context.base / spec.path, folder, context.owner)
            tree = nar_writer.hash_path(folder)
            selection = Selection()
            files = read_texts(folder, selection)
        return PinnedSource(PathSource(path=spec.path, tree=tree), files, scripts=selection.scripts)

    def materialise(self, source: PathSource, out: Path, context: SourceContext) -> None:
        copy_code(context.base / source.path, out, context.owner)

    def is_changed(self, source: PathSource, context: SourceContext) -> bool:
        if not (context.base / source.path).is_dir():
            return False
        with scratch_folder(context.paths) as folder:
            copy_code(context.base / source.path, folder, context.owner)
            return nar_writer.hash_path(folder) != source.tree
