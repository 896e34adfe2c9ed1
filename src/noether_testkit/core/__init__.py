"""The callback side of the framework, at the framework's module paths.

Swapping the prefix `noether_testkit.core` for `noether.core` is the only edit that a callback
needs to move from the kit into the framework.
"""
