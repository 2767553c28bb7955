"""Files of a server that several people share: its users, and what they did."""
