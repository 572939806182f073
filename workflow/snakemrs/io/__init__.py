"""Files: NIfTI-MRS, tables, writing that is whole or not at all."""
