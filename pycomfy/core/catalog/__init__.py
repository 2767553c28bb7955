"""Know node packs in general: which repository provides which node types."""
