"""The virtual scanner: raw files as a scanner writes them, with their truth."""
