"""What code reaches for besides its own files: modules, installers and the network, as its source shows."""
