"""The typed face: one model, made of the workflow's interface."""
