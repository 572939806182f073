"""Stage voxel."""
