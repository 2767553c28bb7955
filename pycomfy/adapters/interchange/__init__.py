"""Read and write the zip files of other tools."""
