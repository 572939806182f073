"""nibabel in this process, without pydicom: ``from snakemrs.interfaces.nib import nib``.

nibabel looks for pydicom when it is imported, for a header extension that nobody reads here; that would take three
times as long as nibabel itself, at the start of most steps. Who reads DICOM imports pydicom later.
"""

from __future__ import annotations

import sys

if "pydicom" in sys.modules:
    import nibabel as nib
else:
    sys.modules["pydicom"] = None  # type: ignore[assignment]  # to whoever imports it: not installed
    try:
        import nibabel as nib
    finally:
        del sys.modules["pydicom"]

__all__ = ["nib"]
