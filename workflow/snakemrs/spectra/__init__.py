"""Stage spectra."""
