"""nipype interfaces to external programs."""

import os

os.environ.setdefault("NO_ET", "1")  # nipype's telemetry is off before nipype is imported
