"""Make the tars of an image and its layers of their folders, by the one rule, which the builders have."""

import importlib.util
import sys
from typing import TYPE_CHECKING

from pycomfy.adapters.nix.resources import nix_folder

if TYPE_CHECKING:
    import image_tar as rule
else:
    # The builders are data of pycomfy, and no package.
    _spec = importlib.util.spec_from_file_location("pycomfy_image_tar", nix_folder() / "builders" / "image_tar.py")
    rule = importlib.util.module_from_spec(_spec)
    sys.modules[_spec.name] = rule  # where dataclasses look for it
    _spec.loader.exec_module(rule)

Entry = rule.Entry
Layer = rule.Layer
layer_chunks = rule.layer_chunks
list_entries = rule.list_entries
read_about = rule.read_about
read_image = rule.read_image
write_image = rule.write_image
write_layer = rule.write_layer
