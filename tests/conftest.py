"""Turns on pytest's own helper for testing plugins, and keeps torch to one thread: the runs are tiny."""

import torch

pytest_plugins = ["pytester"]

torch.set_num_threads(1)
