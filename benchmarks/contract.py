"""Prints what the contract costs: for each check the median time and its runs, and for each callback the total.

python benchmarks/contract.py [--rounds 7] [--json FILE]

Times are seconds of the processor, not of the clock on the wall, on one thread and after imports. On a busy machine
the counts of runs tell more than the times. To compare two versions, run both in turns, several times.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from noether_testkit import Subject, __version__
from noether_testkit.contract import CHECKS, Judge
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.registry import BY_NAME

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.subjects import SUBJECTS


class CountingHarness(FakeHarness):
    """Counts the runs.

    Attributes:
        runs: How many there were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def train(self, *args: Any, **kwargs: Any) -> Outcome:
        """Runs a plan; see `Harness.train`."""
        self.runs += 1
        return super().train(*args, **kwargs)


def measured(subject: Subject) -> Iterator[tuple[str, float, int]]:
    """Yields for each check its name, the seconds of the processor and the runs; what must speak first is not in it."""
    harness = CountingHarness()
    judge = Judge(subject, harness)
    for check in CHECKS:
        for name in check.after:
            judge.result_of(BY_NAME[name])
        started_s, runs = time.process_time(), harness.runs
        result = judge.result_of(check)
        if result.outcome not in ("passed", "not-applicable"):
            raise SystemExit(f"{subject.label}: {check.name} {result.outcome}: {result.seen}")
        yield check.name, time.process_time() - started_s, harness.runs - runs


def measured_whole(subject: Subject) -> tuple[float, int]:
    """Returns the seconds of the processor and the runs of the whole contract."""
    harness = CountingHarness()
    started_s = time.process_time()
    judge = Judge(subject, harness)
    for check in CHECKS:
        judge.result_of(check)
    return time.process_time() - started_s, harness.runs


def measure(rounds: int) -> dict[str, Any]:
    """Returns the medians of some rounds, in each of which all callbacks are judged in turn."""
    seconds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    wholes: dict[str, list[float]] = defaultdict(list)
    runs: dict[str, dict[str, int]] = defaultdict(dict)
    for number in range(rounds + 1):
        for kind, subject in SUBJECTS.items():
            whole_s, whole_runs = measured_whole(subject)
            checks = list(measured(subject))
            if number == 0:  # warms up
                continue
            wholes[kind].append(whole_s)
            runs[kind]["total"] = whole_runs
            for name, check_s, check_runs in checks:
                seconds[kind][name].append(check_s)
                runs[kind][name] = check_runs
    return {
        "environment": environment(),
        "checks": {
            kind: {
                name: {"ms": statistics.median(values) * 1e3, "runs": runs[kind][name]}
                for name, values in seconds[kind].items()
            }
            for kind in SUBJECTS
        },
        "total": {kind: {"s": statistics.median(wholes[kind]), "runs": runs[kind]["total"]} for kind in SUBJECTS},
    }


def environment() -> str:
    """Returns in a line what was measured, and on what."""
    return (
        f"noether-testkit {__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"{torch.get_num_threads()} thread, {platform.machine()}"
    )


def table(figures: dict[str, Any]) -> Iterator[str]:
    """Yields the lines of the table."""
    kinds = list(SUBJECTS)
    yield figures["environment"]
    yield f"{'check':40}" + "".join(f"{kind + ' ms':>14}{'runs':>6}" for kind in kinds)
    for name in figures["checks"][kinds[0]]:
        cells = (figures["checks"][kind][name] for kind in kinds)
        yield f"{name:40}" + "".join(f"{cell['ms']:14.2f}{cell['runs']:6}" for cell in cells)
    medians = (statistics.median(cell["ms"] for cell in figures["checks"][kind].values()) for kind in kinds)
    yield f"{'median check':40}" + "".join(f"{median:14.2f}{'':6}" for median in medians)
    totals = (figures["total"][kind] for kind in kinds)
    yield f"{'whole contract':40}" + "".join(f"{total['s'] * 1e3:14.1f}{total['runs']:6}" for total in totals)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds, after one that warms up")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures = measure(options.rounds)
    print("\n".join(table(figures)))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
