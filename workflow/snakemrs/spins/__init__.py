"""Spin systems and their simulation: what both the fit and the virtual scanner need."""
