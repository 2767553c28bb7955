"""Read Python source without running it: node types, imports, and what code installs or downloads."""
