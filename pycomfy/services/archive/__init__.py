"""Archive sources, restore versions from them, and carry versions in bundles."""
