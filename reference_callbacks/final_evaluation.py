"""Evaluates the trained model once on a whole data set.

In a run's YAML:

    callbacks:
      - kind: my_project.callbacks.final_evaluation.FinalEvaluationCallback
        dataset_key: test
        metrics:
          mean_squared_error: {metric: MeanSquaredError}
          r2: {metric: R2Score, targets: [pressure]}
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import torch
import torchmetrics
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch.utils.data import DataLoader
from tqdm import tqdm

from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig


class MetricConfig(BaseModel):
    """One metric of `torchmetrics`, which is given the prediction and the target of each batch."""

    model_config = ConfigDict(extra="forbid")

    metric: str
    """Name of a class of `torchmetrics`, such as `MeanSquaredError`."""
    kwargs: dict[str, Any] = {}
    """Arguments of the class."""
    targets: list[str] | None = None
    """The target properties that it measures; all of the trainer's by default."""


class FinalEvaluationCallbackConfig(CallBackBaseConfig):
    """What to evaluate, by which metrics; `batch_size` is the trainer's where it is missing."""

    dataset_key: str = Field(default="test", min_length=1)
    """Key of the data set in the data container."""
    metrics: dict[str, MetricConfig] = Field(
        default={
            "mean_squared_error": MetricConfig(metric="MeanSquaredError"),
            "mean_absolute_error": MetricConfig(metric="MeanAbsoluteError"),
        },
        min_length=1,
    )
    """The metrics by the names that they have in the results."""
    outputs: dict[str, str] = Field(default={})
    """For a target property the output of the model that predicts it, where that has another name."""

    @model_validator(mode="before")
    @classmethod
    def _set_an_interval(cls, values: Any) -> Any:
        """Base configs need an interval; at the end of training it means nothing."""
        if isinstance(values, dict) and not any(key.startswith("every_n_") for key in values):
            return {**values, "every_n_epochs": 1}
        return values


class FinalEvaluationCallback(CallbackBase):
    """Evaluates the model after training, on each sample of a data set once.

    The results, as `final/{data set}/{target}/{metric}`, go to the tracker's summary, to the log and to
    `final_evaluation.json` in the run folder, or `final_evaluation_{name}.json` for a callback with a name (the
    config's `id`). They are no entry of the log writer's series, which takes none after the last update.

    The model is called with the trainer's `forward_properties`, in eval mode, under the trainer's autocast, and
    answers a mapping of tensors. Rank 0 evaluates all samples, so that none is counted twice. Training that was
    stopped early is evaluated, too; the file says whether it was finished.

    Args:
        callback_config: Data set and metrics.
        **kwargs: The collaborators of every callback.
    """

    def __init__(self, callback_config: FinalEvaluationCallbackConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = callback_config.id or self.name
        self.config = callback_config

    def before_training(self, *, update_counter: Any) -> None:
        """Refuses what cannot be evaluated before time is spent on training.

        Raises:
            ValueError: The data set is missing or empty, a metric unknown, or there is no such target.
        """
        if len(self._dataset()) == 0:
            raise ValueError(
                f"The final evaluation needs samples, but the data set {self.config.dataset_key!r} is empty."
            )
        self._new_metrics()

    @torch.no_grad()
    def after_training(self, *, update_counter: Any) -> None:
        """Evaluates the model and reports the results.

        Raises:
            KeyError: The model has no output for a target.
        """
        if not _is_rank_zero():
            return
        metrics = self._new_metrics()
        with _eval_mode(self.model), self.trainer.autocast_context:
            for batch in _with_progress_bar(self._batches()):
                self._update(metrics, {key: _moved(value, self.model.device) for key, value in batch.items()})
        self._report({key: _plain(metric.compute()) for (_, key), metric in metrics.items()}, update_counter)

    def _dataset(self) -> Any:
        try:
            return self.data_container.get_dataset(self.config.dataset_key)
        except KeyError:
            known = ", ".join(map(repr, self.data_container.datasets))
            raise ValueError(
                f"The final evaluation needs the data set {self.config.dataset_key!r}, but there are only: {known}."
            ) from None

    def _new_metrics(self) -> dict[tuple[str, str], torchmetrics.Metric]:
        """Returns metrics without data, by target property and key of the result."""
        known = self.trainer.target_properties
        metrics = {}
        for name, config in self.config.metrics.items():
            metric_class = _metric_class(config.metric)
            for target in known if config.targets is None else config.targets:
                if target not in known:
                    raise ValueError(f"The metric {name!r} measures {target!r}, which is no target property: {known}.")
                metric = metric_class(**{"sync_on_compute": False, **config.kwargs})  # the other ranks have no data
                metrics[target, f"final/{self.config.dataset_key}/{target}/{name}"] = metric.to(self.model.device)
        if not metrics:
            raise ValueError("The final evaluation has nothing to measure: the trainer has no target properties.")
        return metrics

    def _batches(self) -> DataLoader[Any]:
        dataset, trained = self._dataset(), self.trainer.config
        in_training = min(trained.effective_batch_size, getattr(trained, "max_batch_size", None) or sys.maxsize)
        return DataLoader(
            dataset,
            batch_size=self.config.batch_size or in_training,
            collate_fn=dataset.pipeline,
            generator=torch.Generator(),  # the loader draws a number, which must not come from the global generator
        )

    def _update(self, metrics: Mapping[tuple[str, str], torchmetrics.Metric], batch: Mapping[str, Any]) -> None:
        outputs = self.model(**{key: batch[key] for key in self.trainer.forward_properties if key in batch})
        for (target, _), metric in metrics.items():
            output = self.config.outputs.get(target, target)
            if output not in outputs:
                raise KeyError(
                    f"The model has no output {output!r} for the target {target!r}, only {', '.join(outputs)}. "
                    "Name the right one in the config field 'outputs'."
                )
            metric.update(outputs[output], batch[target])

    def _report(self, results: dict[str, Any], update_counter: Any) -> None:
        content = {
            "dataset_key": self.config.dataset_key,
            "samples": len(self._dataset()),
            "training_iteration": dict(update_counter.cur_iteration),
            "is_finished": update_counter.is_finished,
            "results": results,
        }
        name = "" if self.name is None else "_" + re.sub(r"[^\w.=-]", "-", self.name)
        path = self.trainer.path_provider.run_output_path / f"final_evaluation{name}.json"
        self.logger.info("Final evaluation: %s", ", ".join(f"{key} = {value}" for key, value in results.items()))
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        self.tracker.update_summary(results)


def _metric_class(name: str) -> type[torchmetrics.Metric]:
    found = getattr(torchmetrics, name, None)
    if isinstance(found, type) and issubclass(found, torchmetrics.Metric):
        return found
    nearest = ", ".join(get_close_matches(name, torchmetrics.__all__)) or "none has a similar name"
    raise ValueError(f"torchmetrics has no metric {name!r}. The nearest: {nearest}.")


@contextmanager
def _eval_mode(model: torch.nn.Module) -> Iterator[None]:
    """Switches to eval mode, and at the end or on an error each sub-module back to its own mode."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _with_progress_bar(batches: DataLoader[Any]) -> Iterable[Any]:
    return tqdm(batches, desc="Final evaluation", leave=False) if sys.stderr.isatty() else batches


def _moved(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, torch.Tensor) else value


def _plain(value: Any) -> Any:
    """Returns numbers, lists and mappings in place of tensors."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _is_rank_zero() -> bool:
    distributed = torch.distributed
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0
