"""Pin Debian packages from a mirror, and unpack them into a root filesystem."""
