"""Utilities that callbacks import."""
