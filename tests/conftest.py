"""Settings of the whole suite: pytest's helper for plugins, and drawn examples that are the same each time."""

from hypothesis import settings

pytest_plugins = ["pytester"]

settings.register_profile("steady", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("steady")
