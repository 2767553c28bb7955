"""What was found in an installation, and the pycomfy.toml that asks for the same."""
