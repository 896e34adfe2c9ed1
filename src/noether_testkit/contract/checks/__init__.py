"""The checks, one file a topic; each file ends with the tuple of its checks."""
