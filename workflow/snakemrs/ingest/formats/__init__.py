"""Headers of raw files, a module a vendor: what is read here is only what recognising and checking need."""
