"""Select the models of a lock, and read where a model comes from."""
