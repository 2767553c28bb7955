"""What is on the disk, what for, and what of it may go."""
