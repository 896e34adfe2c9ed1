"""Checks of gradients in hooks: what is recorded, and which switches are left."""

from __future__ import annotations

import gc
from collections.abc import Iterable

from noether_testkit.contract.bench import Bench, injected, require_finished
from noether_testkit.contract.check import BUILT, Finding, Force, check
from noether_testkit.contract.graphs import Graph, GraphWatch
from noether_testkit.contract.harness import Moment
from noether_testkit.contract.hooks import place_of_hook
from noether_testkit.contract.locate import capitalised
from noether_testkit.contract.probes import Change
from noether_testkit.contract.trials import with_outputs
from noether_testkit.contract.watched import ModeWatch, watched


@check(
    force=Force.MUST,
    promise="records no operation on an autograd graph in any hook.",
    why="A recorded graph keeps every intermediate tensor alive. Kept in a list or a running mean it grows with each "
    "call until the GPU is full, hours into the run; not kept, it still costs memory and time for nothing.",
    unless=("uses-gradients",),
    after=BUILT,
)
def runs_without_grad(bench: Bench) -> None:
    """Watches every torch operation inside the hooks of an ordinary run and of an evaluation run."""
    found = watched(bench).operations
    if found:
        moment, operation, count = found[0]
        others = f" It recorded {count} operations in that call." if count > 1 else ""
        raise Finding(
            seen=f"{moment} recorded {operation.name} on an autograd graph.{others}",
            expected="No hook records an operation: the framework calls hooks without gradient recording.",
            fix=_how_not_to_record(moment),
            location=operation.location or place_of_hook(moment),
        )
    require_finished(bench.rehearsal.outcome)


@check(
    force=Force.MUST,
    promise="leaves gradient recording, inference mode and autocast as found, also after an error.",
    why="These switches belong to the whole thread. Left on, they make the hooks that follow record graphs or compute "
    "in another precision; left off, the next backward pass fails or trains nothing.",
    after=BUILT,
)
def leaves_grad_mode_alone(bench: Bench) -> None:
    """Compares the switches around each call, in an ordinary run, an evaluation run, and runs with faults."""
    seen = watched(bench)
    _require_same_modes(seen.modes, "")
    for run, uses in ((bench.train, seen.outcome.uses), (bench.evaluate, seen.evaluation.uses)):
        for hook, method, count in uses:
            for nth in {1, count}:
                watch = ModeWatch()
                run(watch=watch, hook_faults={(hook, method, nth): injected})
                _require_same_modes(watch.found, f", after {method} had raised in it")
    require_finished(bench.rehearsal.outcome)


@check(
    force=Force.MUST,
    promise="keeps and logs no tensor with a graph, and lets go of the graphs that it is given.",
    why="A tensor with a graph holds every intermediate tensor of its forward pass. Kept from update to update, they "
    "fill the memory of the GPU, until the run dies hours after its start.",
    after=BUILT,
    explained_by=("runs-without-grad",),
)
def keeps_no_graph(bench: Bench) -> None:
    """Looks, before each next update and at the end, at what the callback holds and which graphs are still alive."""
    graphs: list[Graph] = []
    watch = GraphWatch(graphs)
    outcome = bench.train(subject=with_outputs(bench.subject, lambda output: graphs.append(Graph(output))), watch=watch)
    _require_no_graph(watch)
    for seen in watched(bench).graphs:
        _require_no_graph(seen)
    if watch.leaked is not None and not outcome.hook_errors and not _leaks_anyway(bench):
        raise Finding(
            seen=f"The graph of update_outputs that was given at update {watch.leaked} is still alive two updates "
            "later, held out of sight: by a module, a closure or a thread.",
            expected="Nothing of a forward pass is left when the next update begins.",
            fix="Keep values, not tensors with a graph: value.detach() for a tensor, value.item() for a number.",
            location=watch.place,
        )
    require_finished(bench.rehearsal.outcome)


def _leaks_anyway(bench: Bench) -> bool:
    """Returns whether graphs stay alive with a callback that does nothing, too."""
    graphs: list[Graph] = []
    bench.train(subject=with_outputs(bench.idle(), lambda output: graphs.append(Graph(output))))
    gc.collect()
    return any(graph.is_alive for graph in graphs[:-2])


def _require_no_graph(watch: GraphWatch) -> None:
    if watch.kept is None:
        return
    where, tensor, moment = watch.kept
    raise Finding(
        seen=f"At {moment}, {where} holds a tensor {tensor} with a graph.",
        expected="Nothing that outlasts an update carries a graph, whether it is kept, logged or saved.",
        fix="Take the value without its graph where it is stored: value.detach() for a tensor, value.item() for a "
        "number. Outputs that are held only until a later hook of the same update are let go of in after_update.",
        location=watch.place,
    )


def _require_same_modes(calls: Iterable[tuple[Moment, list[Change]]], condition: str) -> None:
    found = next(((moment, changes) for moment, changes in calls if changes), None)
    if found is None:
        return
    moment, changes = found
    changed = "; ".join(f"{change.what} was {change.before} before and {change.after} after" for change in changes)
    raise Finding(
        seen=f"{capitalised(str(moment))} changed a switch of the whole thread{condition}: {changed}.",
        expected="Every switch is as it was when the hook was called.",
        fix="Use the context managers (with torch.no_grad(), torch.enable_grad(), torch.inference_mode(), "
        "torch.autocast(...)): they put the switch back, also when the block raises. Do not call "
        "torch.set_grad_enabled as a function, nor __enter__ by hand.",
        location=place_of_hook(moment),
    )


def _how_not_to_record(moment: Moment) -> str:
    declare = "If the callback needs gradients to do its job, say so: declares={'uses-gradients'}."
    if moment.hook == "at_eval":
        return (
            "Only the base class's at_eval switches recording off: call super().at_eval(...), or put torch.no_grad() "
            f"around the override. {declare}"
        )
    return f"Drop torch.enable_grad() or torch.set_grad_enabled(True) in front of it. {declare}"


CHECKS = (runs_without_grad, leaves_grad_mode_alone, keeps_no_graph)
