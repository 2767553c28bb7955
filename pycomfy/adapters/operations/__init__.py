"""The commands that the server runs for somebody: their processes, and the files with what they print."""
