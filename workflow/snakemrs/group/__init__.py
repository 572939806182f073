"""Stage group."""
