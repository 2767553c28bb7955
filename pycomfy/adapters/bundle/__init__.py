"""Read and write files that hold all of a version."""
