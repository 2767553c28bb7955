"""Define pycomfy.toml and pycomfy.lock: their keys, types and checks."""
