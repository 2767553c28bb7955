"""Import and export other tools' files; capture an installation."""
