"""Bundles on the disk: a plain tar of plain files, compressed with zstandard."""

from pycomfy.outside.bundle.read import BundleReader, open_bundle
from pycomfy.outside.bundle.write import Content, write_bundle

__all__ = ["BundleReader", "Content", "open_bundle", "write_bundle"]
