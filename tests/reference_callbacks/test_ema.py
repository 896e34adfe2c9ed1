from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from reference_callbacks.ema import EmaCallback, EmaCallbackConfig
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.fakes import FakeRun
from noether_testkit.plan import TrainingPlan

DECAY = 0.75


class Network(nn.Module):
    """Without dropout, so that a resumed run draws the same numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.scale = nn.Parameter(torch.full((4,), 0.1), requires_grad=False)
        self.steps = nn.Parameter(torch.tensor(3), requires_grad=False)
        self.head = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.head(self.second(self.norm(self.first(x))) * self.scale)}


class NarrowNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 1, dtype=torch.bfloat16)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.head(x.bfloat16()).float()}


class Weights(PeriodicCallback):
    """Keeps the weights at the start and after each update."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CallBackBaseConfig(every_n_updates=1), **kwargs)
        self.series: list[dict[str, torch.Tensor]] = []

    def before_training(self, *, update_counter: Any) -> None:
        self.series.append(copy_of(self.model))

    def track_after_update_step(self, *, update_counter: Any, times: dict[str, float]) -> None:
        self.series.append(copy_of(self.model))


def copy_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def ema(**config: Any) -> partial[EmaCallback]:
    return partial(EmaCallback, EmaCallbackConfig(**{"every_n_epochs": 1, "decays": [DECAY], **config}))


def built(run: FakeRun, **config: Any) -> EmaCallback:
    return ema(**config)(**run.callback_kwargs)


def average_file(run: FakeRun, tag: str = "latest", info: str = f"ema={DECAY}") -> dict[str, Any]:
    path = run.path_provider.checkpoint_path / f"model_{info}_cp={tag}_model.th"
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def by_hand(series: list[dict[str, torch.Tensor]], name: str, decays: list[float]) -> torch.Tensor:
    average = series[0][name].double()
    for decay, weights in zip(decays, series[1:], strict=True):
        average = decay * average + (1 - decay) * weights[name].double()
    return average


def test_each_average_follows_the_formula() -> None:
    """After each update an average keeps `decay` of itself and takes the rest from the weights."""
    with FakeRun(network=Network) as run:
        run.train(Weights, ema(decays=[0.5, 0.9]))
        series = run.trainer.callbacks[0].series
        for decay in (0.5, 0.9):
            saved = average_file(run, info=f"ema={decay}")["state_dict"]
            for name, parameter in run.model.named_parameters():
                if parameter.is_floating_point():
                    expected = by_hand(series, name, [decay] * 8).float()
                    torch.testing.assert_close(saved[name], expected, rtol=1e-5, atol=1e-7)


def test_warm_up_forgets_the_first_weights_sooner() -> None:
    """The decay of update t, counted from 0, is `min(decay, (1 + t) / (10 + t))`."""
    with FakeRun(network=Network) as run:
        run.train(Weights, ema(decays=[0.3], warmup=True))
        expected = by_hand(
            run.trainer.callbacks[0].series, "net.head.weight", [min(0.3, (1 + t) / (10 + t)) for t in range(8)]
        )
        saved = average_file(run, info="ema=0.3")
        torch.testing.assert_close(saved["state_dict"]["net.head.weight"], expected.float(), rtol=1e-5, atol=1e-7)
        assert saved["ema_updates"] == 8


def test_buffers_and_integers_are_those_of_the_model() -> None:
    """What is no floating-point parameter is written as it is."""
    with FakeRun(network=Network) as run:
        run.train(ema())
        saved = average_file(run)["state_dict"]
        assert saved.keys() == run.model.state_dict().keys()
        for name in ("net.norm.running_mean", "net.norm.num_batches_tracked", "net.steps", "net.scale"):
            assert torch.equal(saved[name], run.model.state_dict()[name])


def test_a_tied_weight_is_averaged_once_and_written_under_each_name() -> None:
    """Tied weights share one average."""
    with FakeRun(network=Network) as run:
        run.train(Weights, ema())
        saved = average_file(run)["state_dict"]
        expected = by_hand(run.trainer.callbacks[0].series, "net.first.weight", [DECAY] * 8).float()
        for name in ("net.first.weight", "net.second.weight"):
            torch.testing.assert_close(saved[name], expected, rtol=1e-5, atol=1e-7)


def test_narrow_parameters_are_averaged_in_float32() -> None:
    """Steps too small for bfloat16 are not lost."""
    with FakeRun(network=NarrowNetwork) as run:
        run.train(Weights, ema(decays=[0.999]))
        saved = average_file(run, info="ema=0.999")["state_dict"]["net.head.weight"]
        expected = by_hand(run.trainer.callbacks[0].series, "net.head.weight", [0.999] * 8)
        assert saved.dtype == torch.float32
        torch.testing.assert_close(saved, expected.float(), rtol=1e-5, atol=1e-7)


def test_files_come_at_each_interval_and_at_the_end() -> None:
    """Each file has the tag of its update; the newest is also the latest."""
    with FakeRun(TrainingPlan(updates=5)) as run:
        run.train(ema(every_n_epochs=None, every_n_updates=2))
        names = sorted(path.name for path in run.path_provider.checkpoint_path.iterdir())
        tags = ("E0_U2_S4", "E1_U4_S8", "E1_U5_S10", "latest")
        assert names == [f"model_ema=0.75_cp={tag}_model.th" for tag in tags]
        newest, latest = average_file(run, "E1_U5_S10"), average_file(run)
        assert all(torch.equal(newest["state_dict"][name], value) for name, value in latest["state_dict"].items())


def test_a_name_keeps_the_files_of_two_instances_apart() -> None:
    """The config's id stands behind the decay, without characters that paths cannot hold."""
    with FakeRun() as run:
        run.train(ema(id="slow/one"), ema())
        assert average_file(run, info="ema=0.75_slow-one")["ema_updates"] == 8
        assert average_file(run)["ema_updates"] == 8


def test_an_evaluation_run_writes_nothing() -> None:
    """An evaluation leaves the averages of training alone."""
    with FakeRun() as run:
        run.evaluate(ema())
        assert list(run.path_provider.checkpoint_path.iterdir()) == []


def test_the_state_stays_out_of_the_trainer_checkpoint() -> None:
    """State is `None` for life; it is in files."""
    with FakeRun() as run:
        callback = built(run)
        assert callback.state_dict() is None
        run.train(callback)
        assert callback.state_dict() is None


@pytest.mark.parametrize("warmup", [False, True])
def test_a_resumed_run_ends_with_the_average_of_an_uninterrupted_one(warmup: bool) -> None:
    """Stop, resume and end give the same file, bit by bit."""
    with FakeRun(network=Network) as whole, FakeRun(TrainingPlan(epochs=1), network=Network) as first:
        whole.train(ema(warmup=warmup))
        first.train(ema(warmup=warmup))
        plan = TrainingPlan(epochs=2, resume_from=first.save_checkpoint())
        with FakeRun(plan, run_id="second", network=Network) as second:
            second.train(ema(warmup=warmup))
            expected, seen = average_file(whole), average_file(second)
        assert seen["ema_updates"] == expected["ema_updates"] == 8
        assert all(torch.equal(seen["state_dict"][key], value) for key, value in expected["state_dict"].items())


class SavesAfterEachEpoch(PeriodicCallback):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CallBackBaseConfig(every_n_epochs=1), **kwargs)

    def periodic_callback(self, *, interval_type: str, update_counter: Any, **_: Any) -> None:
        self.checkpoint_writer.save(self.model, str(update_counter.cur_iteration), trainer=self.trainer)


def test_a_resume_takes_the_average_of_its_checkpoint_and_not_the_newest() -> None:
    """Going back to an earlier checkpoint goes back to its average."""
    with FakeRun(network=Network) as first:
        first.train(ema(), SavesAfterEachEpoch)
        plan = TrainingPlan(epochs=2, resume_from=first.checkpoint("E1_U4_S8"))
        with FakeRun(plan, run_id="second", network=Network) as second:
            second.train(ema())
            seen = average_file(second)["state_dict"]
        assert all(torch.equal(seen[key], value) for key, value in average_file(first)["state_dict"].items())


def test_the_latest_average_serves_if_it_belongs_to_the_checkpoint() -> None:
    """Where the tagged file was deleted, the latest of the same update is as good."""
    with FakeRun(TrainingPlan(epochs=1), network=Network) as first:
        first.train(ema())
        (first.path_provider.checkpoint_path / "model_ema=0.75_cp=E1_U4_S8_model.th").unlink()
        plan = TrainingPlan(epochs=2, resume_from=first.save_checkpoint())
        with FakeRun(plan, run_id="second", network=Network) as second:
            second.train(ema())
            assert average_file(second)["ema_updates"] == 8


def test_a_resume_without_files_warns_and_starts_afresh(caplog: pytest.LogCaptureFixture) -> None:
    """The warning names the decay, the checkpoint and the folder; the average starts from its weights."""
    with FakeRun(TrainingPlan(epochs=1), network=Network) as first:
        first.train()
        plan = TrainingPlan(epochs=2, resume_from=first.save_checkpoint())
        with FakeRun(plan, run_id="second", network=Network) as second:
            second.train(Weights, ema())
            series = second.trainer.callbacks[0].series
            saved = average_file(second)
        expected = by_hand(series, "net.head.bias", [DECAY] * 4).float()
        torch.testing.assert_close(saved["state_dict"]["net.head.bias"], expected, rtol=1e-5, atol=1e-7)
        assert saved["ema_updates"] == 4
        (warning,) = [record.getMessage() for record in caplog.records if "no average" in record.getMessage()]
        assert "decay 0.75 of the checkpoint E1_U4_S8" in warning
        assert str(first.path_provider.checkpoint_path) in warning


def test_averaged_weights_are_in_the_model_for_a_while() -> None:
    """Inside the context the model holds the average, afterwards its weights, bit by bit."""
    with FakeRun() as run:
        callback = built(run)
        run.train(callback)
        weights, average = copy_of(run.model), average_file(run)["state_dict"]
        with callback.averaged_weights(DECAY):
            assert all(torch.equal(value, average[name]) for name, value in run.model.state_dict().items())
        assert all(torch.equal(value, weights[name]) for name, value in run.model.state_dict().items())
        assert not all(torch.equal(average[name], value) for name, value in weights.items())


def test_averaged_weights_are_taken_out_on_an_error() -> None:
    """What fails inside the context sees its error, and the model its weights."""
    with FakeRun() as run:
        callback = built(run)
        run.train(callback)
        weights = copy_of(run.model)
        with pytest.raises(RuntimeError, match="on purpose"), callback.averaged_weights(DECAY):
            raise RuntimeError("on purpose")
        assert all(torch.equal(value, weights[name]) for name, value in run.model.state_dict().items())


def test_an_unknown_decay_is_refused() -> None:
    """The error lists the decays there are."""
    with FakeRun() as run:
        callback = built(run)
        run.train(callback)
        with pytest.raises(ValueError, match=r"decay 0\.5; .* \(0\.75,\)"), callback.averaged_weights(0.5):
            pass


def started(run: FakeRun, **config: Any) -> EmaCallback:
    callback = built(run, **config)
    callback.before_training(update_counter=run.update_counter)
    return callback


def test_a_replaced_layer_is_noticed() -> None:
    """The average of a new layer starts as its copy; the others go on."""
    with FakeRun(network=Network) as run:
        callback = started(run)
        old_bias = run.model.net.first.bias.detach().clone()
        with torch.no_grad():
            run.model.net.first.bias += 1
        run.model.net.head = nn.Linear(4, 1)
        callback.track_after_update_step(update_counter=run.update_counter, times={})
        with callback.averaged_weights(DECAY):
            torch.testing.assert_close(run.model.net.first.bias, nn.Parameter(old_bias + 0.25))
        callback.after_training(update_counter=run.update_counter)
        saved = average_file(run)["state_dict"]
        assert torch.equal(saved["net.head.weight"], run.model.net.head.weight)


def test_an_added_layer_is_noticed() -> None:
    """A layer that is new in the model is averaged from then on."""
    with FakeRun(network=Network) as run:
        callback = started(run)
        run.model.net.extra = nn.Linear(2, 2)
        callback.track_after_update_step(update_counter=run.update_counter, times={})
        with torch.no_grad():
            run.model.net.extra.bias.fill_(0)
            expected = run.model.net.extra.weight * DECAY
            run.model.net.extra.weight.zero_()
        callback.track_after_update_step(update_counter=run.update_counter, times={})
        with callback.averaged_weights(DECAY):
            torch.testing.assert_close(run.model.net.extra.weight.detach(), expected)


def test_averages_follow_the_model_to_another_dtype() -> None:
    """A model that changes before training starts has its loaded averages converted."""
    with FakeRun(TrainingPlan(epochs=1), network=Network) as first:
        first.train(ema())
        plan = TrainingPlan(epochs=2, resume_from=first.save_checkpoint())
        with FakeRun(plan, run_id="second", network=Network) as second:
            callback = built(second)
            callback.resume_from_checkpoint(resumption_paths=first.path_provider, model=second.model)
            second.model.double()
            callback.before_training(update_counter=second.update_counter)
            callback.track_after_update_step(update_counter=second.update_counter, times={})
            callback.after_training(update_counter=second.update_counter)
            assert average_file(second)["state_dict"]["net.head.weight"].dtype == torch.float64


class CountsOperations(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations.append(str(func))
        return func(*args, **(kwargs or {}))


def test_an_update_is_one_operation() -> None:
    """All parameters are averaged by one call, whatever their number."""
    with FakeRun(network=Network) as run:
        callback = started(run)
        with CountsOperations() as counted:
            callback.track_after_update_step(update_counter=run.update_counter, times={})
        assert counted.operations == ["aten._foreach_lerp_.Scalar"]


def test_the_constructor_keeps_no_weights() -> None:
    """Averages start from the weights at the start of training, not from those at construction."""
    with FakeRun(network=Network) as run:
        callback = built(run)
        with torch.no_grad():
            run.model.net.head.weight.fill_(7.0)
        callback.before_training(update_counter=run.update_counter)
        callback.after_training(update_counter=run.update_counter)
        assert average_file(run)["state_dict"]["net.head.weight"].eq(7.0).all()


def test_a_model_without_parameters_is_no_trouble() -> None:
    """There is nothing to average, and an empty file to write."""
    with FakeRun(network=nn.Flatten) as run:
        callback = started(run)
        callback.track_after_update_step(update_counter=run.update_counter, times={})
        callback.after_training(update_counter=run.update_counter)
        assert average_file(run)["state_dict"] == {}


class Part(nn.Linear):
    name = "linear"


class Composite(nn.Module):
    name = "whole"
    device = torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Part(4, 4), Part(4, 1)

    def get_named_models(self) -> dict[str, nn.Module]:
        return {"encoder.linear": self.encoder, "decoder.linear": self.decoder}


def test_sub_models_have_files_named_like_their_checkpoints() -> None:
    """Each sub-model's average is where the framework's initialisers look for it, and is read back from there."""
    with FakeRun(TrainingPlan(epochs=1)) as run:
        model = Composite()
        kwargs = {**run.callback_kwargs, "model": model}
        callback = ema()(**kwargs)
        callback.before_training(update_counter=run.update_counter)
        with torch.no_grad():
            model.encoder.weight += 1
        callback.track_after_update_step(update_counter=run.update_counter, times={})
        callback.after_training(update_counter=run.update_counter)
        files = {path.name for path in run.path_provider.checkpoint_path.glob("*=latest_*")}
        assert files == {"whole.encoder_ema=0.75_cp=latest_model.th", "whole.decoder_ema=0.75_cp=latest_model.th"}
        again = ema()(**kwargs)
        again.resume_from_checkpoint(resumption_paths=run.path_provider, model=model)
        with again.averaged_weights(DECAY):
            seen = model.encoder.weight.detach().clone()
        torch.testing.assert_close(seen, model.encoder.weight.detach() - 0.75)


def test_other_ranks_keep_and_write_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank 0 alone holds averages; elsewhere they are refused."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    with FakeRun() as run:
        callback = built(run)
        run.train(callback)
        assert list(run.path_provider.checkpoint_path.iterdir()) == []
        with pytest.raises(ValueError, match="rank 0"), callback.averaged_weights(DECAY):
            pass


@pytest.mark.parametrize("decays", [[], [1.0], [-0.1]])
def test_decays_are_checked(decays: list[float]) -> None:
    """A decay is at least 0 and less than 1, and there is one."""
    with pytest.raises(ValidationError, match="decays"):
        EmaCallbackConfig(every_n_epochs=1, decays=decays)
