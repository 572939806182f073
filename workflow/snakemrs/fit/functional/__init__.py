"""Functional MRS: design over time, joint fit of all transients, contrasts, course, agreement with the frames."""
