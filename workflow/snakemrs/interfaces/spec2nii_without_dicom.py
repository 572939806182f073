"""spec2nii for raw files that are no DICOM: without pydicom, which takes a third of its start."""

from __future__ import annotations

import sys

import snakemrs.interfaces.nib  # noqa: F401 - before spec2nii imports nibabel in its own way

if __name__ == "__main__":
    from spec2nii.spec2nii import main

    sys.exit(main())
