"""Node packs of the community: which of them import in an ordinary installation, and which in an image."""
