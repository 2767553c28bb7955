"""Choose Debian packages on a mirror, and unpack them into a root filesystem."""
