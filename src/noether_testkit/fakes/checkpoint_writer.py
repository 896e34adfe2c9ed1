"""Fake of the checkpoint writer: real files, in the framework's naming."""

from __future__ import annotations

import logging
from typing import Any

from noether_testkit.core.utils.training import UpdateCounter
from noether_testkit.fakes.files import write
from noether_testkit.fakes.providers import FakePathProvider
from noether_testkit.fakes.strict import StrictFake


class FakeCheckpointWriter(StrictFake):
    """Writes checkpoints below the run's checkpoint folder."""

    _stands_for = "CheckpointWriter"

    def __init__(self, path_provider: FakePathProvider, update_counter: UpdateCounter) -> None:
        super().__init__()
        self.logger = logging.getLogger("FakeCheckpointWriter")
        self.path_provider = path_provider
        self.update_counter = update_counter

    def save_model_checkpoint(
        self,
        model_name: str,
        checkpoint_tag: Any,
        state_dict: dict[str, Any],
        model_config: Any = None,
        model_info: str | None = None,
        **extra: Any,
    ) -> None:
        """Writes `{model_name}[_{model_info}]_cp={checkpoint_tag}_model.th`.

        Args:
            model_name: First part of the file name.
            checkpoint_tag: Tag of the checkpoint, such as `E1_U4_S8` or `latest`.
            state_dict: The weights.
            model_config: Config of the model, kept beside the weights.
            model_info: Second part of the file name.
            **extra: Further entries of the file.
        """
        self._record(
            "save_model_checkpoint",
            model_name=model_name,
            checkpoint_tag=str(checkpoint_tag),
            state_dict=state_dict,
            model_config=model_config,
            model_info=model_info,
            **extra,
        )
        content = {
            "state_dict": state_dict,
            "checkpoint_tag": str(checkpoint_tag),
            "training_iteration": dict(self.update_counter.cur_iteration),
            "run_id": self.path_provider.run_id,
            **extra,
        }
        if model_config is not None:
            content["model_config"] = model_config.model_dump()
            content["config_kind"] = f"{type(model_config).__module__}.{type(model_config).__qualname__}"
        name = f"{model_name}_{model_info}" if model_info else model_name
        self._write(content, f"{name}_cp={checkpoint_tag}_model.th")

    def save(
        self,
        model: Any,
        checkpoint_tag: Any,
        trainer: Any = None,
        save_weights: bool = True,
        save_optim: bool = True,
        save_latest_weights: bool = False,
        save_latest_optim: bool = False,
        model_names_to_save: list[str] | None = None,
        save_frozen_weights: bool = True,
        model_info: str | None = None,
    ) -> None:
        """Writes the weights, the optimiser and the trainer state of a run.

        Args:
            model: The model; its weights go to `{model.name}_cp={tag}_model.th`.
            checkpoint_tag: Tag of the checkpoint.
            trainer: The trainer; its state, with that of all callbacks, goes to `…_trainer.th`.
            save_weights: Whether to write the weights.
            save_optim: Whether to write the optimiser to `…_optim.th`.
            save_latest_weights: Whether to write the weights under the tag `latest`, too.
            save_latest_optim: Whether to write the optimiser under the tag `latest`, too.
            model_names_to_save: Only models with these names; an empty list means all, too.
            save_frozen_weights: Whether to write the weights of a frozen model.
            model_info: Second part of the weights' file name.

        Raises:
            NotImplementedError: The model is no model of the framework's class.
            AttributeError: The model is `None`, and there is a trainer file to be named after it.
        """
        self._record(
            "save",
            model=model,
            checkpoint_tag=str(checkpoint_tag),
            trainer=trainer,
            save_weights=save_weights,
            save_optim=save_optim,
            save_latest_weights=save_latest_weights,
            save_latest_optim=save_latest_optim,
            model_names_to_save=model_names_to_save,
            save_frozen_weights=save_frozen_weights,
            model_info=model_info,
        )
        state = None if trainer is None else trainer.state_dict()
        if model is None:
            if state is not None and (save_weights or save_optim or save_latest_weights or save_latest_optim):
                raise AttributeError("Without a model there is no name for the trainer file; save it with its model.")
            return
        if not hasattr(type(model), "get_named_models"):
            raise NotImplementedError(
                f"Only models of the framework's own class can be saved, not a {type(model).__name__}."
            )
        chosen = not model_names_to_save or model.name in model_names_to_save
        keeps_weights = chosen and (save_frozen_weights or not model.is_frozen)
        self._save_parts(
            model,
            checkpoint_tag,
            model_info,
            weights=save_weights and keeps_weights,
            optim=save_optim and chosen,
            trainer_state=state if save_weights or save_optim else None,
        )
        self._save_parts(
            model,
            "latest",
            model_info,
            weights=save_latest_weights and keeps_weights,
            optim=save_latest_optim and chosen,
            trainer_state=state if save_latest_weights or save_latest_optim else None,
        )

    def _save_parts(
        self, model: Any, tag: Any, model_info: str | None, *, weights: bool, optim: bool, trainer_state: Any
    ) -> None:
        if weights:
            info = {} if model_info is None else {"model_info": model_info}
            self.save_model_checkpoint(model.name, tag, model.state_dict(), model_config=model.model_config, **info)
        if optim and model.optimizer is not None:
            self._write(model.optimizer.state_dict(), f"{model.name}_cp={tag}_optim.th")
        if trainer_state is not None:
            self._write(trainer_state, f"{model.name}_cp={tag}_trainer.th")

    def _write(self, content: Any, file_name: str) -> None:
        write(content, self.path_provider.checkpoint_path / file_name)
