"""Stage anatomy."""
