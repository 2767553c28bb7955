"""Where code comes from: each kind of source is a module, with what pycomfy.toml and the lock say of it."""
