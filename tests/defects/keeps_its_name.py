"""Callbacks around `keeps-its-name`."""

from __future__ import annotations

from typing import Any

from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "keeps-its-name"


@guilty(CHECK)
class SwallowsItsName(CallbackBase):
    """Takes a name, and does not hand it on."""

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)


@guilty(CHECK)
class HasOneKeyForAll(PeriodicCallback):
    """Stores its state under a key without the name in it, so that two of a kind cannot be told apart.

    States went to the wrong callback before they had names: https://github.com/Emmi-AI/noether/pull/114 (B201).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    @property
    def checkpoint_key(self) -> str:
        return "best_metric"

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class TellsItsProgress(PeriodicCallback):
    """Tells in `str()` what only the start hook sets."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.first_update = update_counter.update

    def __repr__(self) -> str:
        return f"TellsItsProgress(from {self.first_update})"


@guilty(CHECK)
class RenamesItself(CallbackBase):
    """Settles on a name, whatever it was given."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = "report"


@guilty(CHECK)
class NamesItselfByItsInterval(PeriodicCallback):
    """Puts a number where a text belongs."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.name = callback_config.every_n_updates


@innocent(CHECK)
class PutsItsNameIntoItsKey(PeriodicCallback):
    """Has a key of its own, with the name in it."""

    @property
    def checkpoint_key(self) -> str:
        return f"reports/{self.name or 'default'}"


@innocent(CHECK, config={"every_n_updates": 2, "id": "second"})
class TakesItsNameFromItsConfig(PeriodicCallback):
    """Has a name from its config, which wins over the other."""

    def __repr__(self) -> str:
        return f"TakesItsNameFromItsConfig({self.name})"


@innocent(CHECK)
class AsksBeforeItTells(PeriodicCallback):
    """Tells its progress where there is any."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.first_update = update_counter.update

    def __str__(self) -> str:
        return f"AsksBeforeItTells(from {getattr(self, 'first_update', None)})"


@innocent(CHECK)
class HasANameByDefault(CallbackBase):
    """Has a default name, and takes another one."""

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or "report", **kwargs)
