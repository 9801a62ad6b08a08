"""Volumes: where their voxels lie, and reading them from the files of scanners and challenges."""
