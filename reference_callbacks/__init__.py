"""Callbacks to copy: each file is complete, and belongs to the project that it is copied into."""
