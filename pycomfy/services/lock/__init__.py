"""Lock a workflow: pin its code, packages and models."""
