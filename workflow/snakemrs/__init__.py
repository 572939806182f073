"""SnakeMRS: from the scanner's files to the group statistics, with one command."""

__version__ = "0.1.0"
