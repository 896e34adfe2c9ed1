"""Check of what a constructor does beside building."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from noether_testkit.contract.bench import Bench, Enough
from noether_testkit.contract.check import Finding, Force, Unjudged, check
from noether_testkit.contract.harness import Moment, Outcome
from noether_testkit.contract.locate import place_of_constructor
from noether_testkit.contract.probes import WeightProbe, watching
from noether_testkit.contract.probes.effects import collectives, outside_effects

_WRITING = ("log_writer.add_", "log_writer.f", "tracker.", "checkpoint_writer.save")


@check(
    force=Force.MUST,
    promise="logs nothing, writes no file, starts no thread or process, opens no socket, draws no random number, calls "
    "no collective and changes no weight in its constructor.",
    why="All ranks build all callbacks, for training and for evaluation alike, before the model is initialised. A "
    "random number drawn here changes the initial weights of the run; a collective hangs it where ranks differ; "
    "a value that is logged lands in the entry of update 0; a file is written although nothing may ever be trained.",
)
def constructs_without_side_effects(bench: Bench) -> None:
    """Watches the constructor alone, then once more as rank 0 of two."""
    watch = _ConstructorWatch(bench)
    outcome = bench.train(watch=watch)
    error = outcome.hook_errors[0].error if outcome.hook_errors else None
    if error is not None and not (watch.seen and isinstance(error, OSError)):
        raise Unjudged("accepts-the-collaborators", "the constructor raised")
    _require_nothing(bench, [*_written(outcome), *watch.effects()])
    ranked = _RankWatch()
    bench.train(watch=ranked)
    _require_nothing(bench, [f"called {name}, as rank 0 of two" for name in ranked.seen[:1]])


class _ConstructorWatch:
    """Notes what the constructor does to the world and to the weights."""

    def __init__(self, bench: Bench) -> None:
        self.seen: list[str] = []
        self._weights: list[str] = []
        self._declares = bench.subject.declares

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        folder = Path(moment.arguments["trainer"].path_provider.run_output_path)
        seen = outside_effects(folder.parent, moment.owner)
        with seen as self.seen, watching(WeightProbe(moment.model)) as changes:
            yield
        self._weights = [f"changed the weights of the model ({change})" for change in changes[:1]]
        raise Enough

    def effects(self) -> list[str]:
        """Returns what counts, given what is declared."""
        draws = "draws-random-numbers" in self._declares
        seen = [each for each in self.seen if not (draws and each.startswith("drew "))]
        return seen + ([] if "writes-weights" in self._declares else self._weights)


class _RankWatch:
    """Notes the collectives of a constructor on rank 0 of two."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        classes = moment.owner.__mro__ if isinstance(moment.owner, type) else (moment.owner,)
        modules = {getattr(cls, "__module__", ""): None for cls in classes}
        own = [sys.modules[name] for name in modules if name in sys.modules and "noether" not in name.split(".")[0]]
        with collectives(*own) as self.seen:
            yield
        raise Enough


def _written(outcome: Outcome) -> list[str]:
    uses = (method for hook, method, _ in outcome.uses if hook == "__init__" and method.startswith(_WRITING))
    return [f"called {method}" for method in uses]


def _require_nothing(bench: Bench, effects: list[str]) -> None:
    if not effects:
        return
    more = f" It also {', '.join(effects[1:3])}." if effects[1:] else ""
    raise Finding(
        seen=f"The constructor {effects[0]}.{more}",
        expected="A constructor checks its options and sets attributes; it may read, and say something to its logger.",
        fix="Do it in before_training, on rank 0 where it writes. For random numbers make a generator of your own, "
        "torch.Generator().manual_seed(...), or say declares={'draws-random-numbers'} where the draw is meant.",
        location=place_of_constructor(bench.subject.callback),
    )


CHECKS = (constructs_without_side_effects,)
