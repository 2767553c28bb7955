"""Select Debian packages, and read the shared libraries they are needed for."""
