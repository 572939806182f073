"""Figures of the pages: inline SVG that follows the theme of the page, and small images."""
