"""The checks, one file or folder a topic; each ends with the tuple of its checks."""
