"""Stage fit."""
