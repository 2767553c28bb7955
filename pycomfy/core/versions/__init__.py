"""Name, compare and merge versions of a workflow, and judge the verification of an image."""
