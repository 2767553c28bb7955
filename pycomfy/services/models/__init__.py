"""Use cases of models: those that a workflow needs, those in the model store, those that a lock pins."""
