"""Promises of resumed runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.fakes.recorder import Diary, recorder

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.fakes import FakeRun
from noether_testkit.plan import Checkpoint, TrainingPlan

STATEFUL = {"state_dict": lambda _: {"n": 1}}


@pytest.fixture
def diary() -> Diary:
    return Diary()


def saving(*updates: int) -> dict[str, Any]:
    """Acts of a stateful callback that writes checkpoints after some updates."""

    def act(callback: Any) -> None:
        counter = callback.trainer.update_counter
        if counter.update in updates:
            callback.checkpoint_writer.save(callback.model, str(counter.cur_iteration), trainer=callback.trainer)

    return {**STATEFUL, "periodic_callback": act}


@pytest.fixture
def first(tmp_path: Path) -> FakeRun:
    """A run of two epochs with checkpoints after the updates 3, 4 and 8."""
    run = FakeRun(output_root=tmp_path, run_id="first")
    return run.train(recorder(Diary(), acts=saving(3, 4, 8)))


def resumed(first: FakeRun, tag: str, **plan: Any) -> FakeRun:
    root = first.path_provider.output_root
    return FakeRun(TrainingPlan(resume_from=first.checkpoint(tag), **plan), output_root=root, run_id="second")


def test_states_are_loaded_twice_and_files_once_before_the_start(first: FakeRun, diary: Diary) -> None:
    """Each load asks all callbacks for their states twice; after the second one comes the file hook."""
    resumed(first, "E0_U3_S6").train(recorder(diary, "A", acts=STATEFUL), recorder(diary, "N"))
    asked = ["A.state_dict", "N.state_dict"]
    load = [*asked, *asked, "A.load_state_dict"]
    start = ["A.before_training", "N.before_training"]
    files = ["A.resume_from_checkpoint", "N.resume_from_checkpoint"]
    assert diary.calls(but=())[:16] == [*asked, *load, *load, *files, *start][:16]
    assert diary.calls("load_state_dict") == ["A.load_state_dict"] * 2


def test_everything_before_the_start_hooks_is_called_with_recording(first: FakeRun, diary: Diary) -> None:
    """Loading happens before the trainer switches recording off, at the counter of the checkpoint."""
    resumed(first, "E0_U3_S6").train(recorder(diary, acts=STATEFUL))
    notes = diary.of("load_state_dict") + diary.of("resume_from_checkpoint")
    assert all(note.is_recording and note.is_training for note in notes)
    assert {note.point for note in notes} == {"E0_U3_S6"}


def test_the_first_load_meets_fresh_weights_and_the_second_loaded_ones(first: FakeRun) -> None:
    """Both hand over the same state, newly read."""
    seen: list[tuple[dict[str, Any], torch.Tensor]] = []

    class Looks(PeriodicCallback):
        def state_dict(self) -> dict[str, Any]:
            return {"n": 2}

        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            seen.append((state_dict, self.model.net.head.weight.detach().clone()))

    run = resumed(first, "E0_U3_S6")
    fresh = run.model.net.head.weight.detach().clone()
    saved = torch.load(first.path_provider.checkpoint_path / "model_cp=E0_U3_S6_model.th")["state_dict"]
    run.train(lambda **collaborators: Looks(CallBackBaseConfig(id="A", every_n_updates=1), **collaborators))
    (one, before), (two, after) = seen
    assert one == two == {"n": 1}
    assert one is not two
    assert torch.equal(before, fresh)
    assert torch.equal(after, saved["net.head.weight"])


def test_the_file_hook_gets_the_paths_of_the_earlier_run(first: FakeRun, diary: Diary) -> None:
    """Paths and model come by keyword; the paths are not those of this run."""
    run = resumed(first, "E0_U3_S6")
    run.train(recorder(diary))
    arguments = diary.of("resume_from_checkpoint")[0].arguments
    assert list(arguments) == ["resumption_paths", "model"]
    assert arguments["model"] is run.model
    assert arguments["resumption_paths"].checkpoint_path == first.path_provider.checkpoint_path


def test_the_counter_stands_at_the_checkpoint_when_callbacks_are_built(first: FakeRun) -> None:
    """A constructor sees the progress, and no log of the earlier run."""
    run = resumed(first, "E1_U4_S8", epochs=3)
    assert str(run.update_counter.cur_iteration) == "E1_U4_S8"
    assert str(run.trainer.start_checkpoint) == "E1_U4_S8"
    assert run.log_writer.log_entries == []
    assert not run.model.is_initialized


@pytest.mark.parametrize(
    ("length", "end", "reached"),
    [
        ({"epochs": 3}, "E2_U12_S24", "E3_U12_S24"),
        ({"updates": 8}, "E1_U8_S16", "E2_U8_S16"),
        ({"samples": 16}, "E1_U8_S16", "E2_U8_S16"),
    ],
)
def test_after_a_resume_within_an_epoch_the_end_shows_an_epoch_too_few(
    first: FakeRun, length: dict[str, int], end: str, reached: str
) -> None:
    """The run itself ends where it should."""
    run = resumed(first, "E0_U3_S6", **length)
    assert str(run.update_counter.end_iteration) == end
    run.train()
    assert str(run.update_counter.cur_iteration) == reached


def test_resuming_a_finished_run_trains_one_update_too_many(first: FakeRun, diary: Diary) -> None:
    """The framework looks for the end after an update only."""
    resumed(first, "E2_U8_S16").train(recorder(diary))
    assert diary.points("after_update") == ["E2_U9_S18"]


def test_data_go_on_and_accumulation_steps_start_again(first: FakeRun, diary: Diary) -> None:
    """Resumed after the third of four updates, the fourth batch comes next, as step 0; the epoch turns after it."""
    resumed(first, "E0_U3_S6").train(recorder(diary))
    steps = [note.arguments for note in diary.of("track_after_accumulation_step")]
    assert [step["batch"]["index"].tolist() for step in steps[:2]] == [[6, 7], [0, 1]]
    assert [step["accumulation_step"] for step in steps[:3]] == [0, 0, 1]
    assert diary.points("after_epoch")[0] == "E1_U4_S8"


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    """Weights and optimiser state come back; only random numbers do not."""

    def network() -> torch.nn.Module:
        class Linear(torch.nn.Linear):
            def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:  # type: ignore[override]
                return {"y": super().forward(x)}

        return Linear(4, 1)

    whole = FakeRun(output_root=tmp_path, run_id="first", network=network).train(recorder(Diary(), acts=saving(3)))
    plan = TrainingPlan(resume_from=whole.checkpoint("E0_U3_S6"))
    rest = FakeRun(plan, output_root=tmp_path, run_id="second", network=network).train()
    for name, weights in whole.model.state_dict().items():
        assert torch.equal(weights, rest.model.state_dict()[name])


def test_options_of_the_optimiser_groups_come_from_the_constructor(tmp_path: Path) -> None:
    """A learning rate that a callback has set is lost with a resume."""

    def halve(callback: Any) -> None:
        callback.model.optimizer.torch_optim.param_groups[0]["lr"] = 0.001

    acts = {**saving(4), "before_training": halve}
    first = FakeRun(output_root=tmp_path, run_id="first").train(recorder(Diary(), acts=acts))
    second = resumed(first, "E1_U4_S8").train()
    assert second.model.optimizer is not None
    assert second.model.optimizer.torch_optim.param_groups[0]["lr"] == 0.05


def test_states_without_a_partner_are_warned_about_at_each_load(
    first: FakeRun, diary: Diary, caplog: pytest.LogCaptureFixture
) -> None:
    """On either side, by the trainer first and by the initializer then; nothing is loaded."""
    with caplog.at_level(logging.WARNING):
        resumed(first, "E0_U3_S6").train(recorder(diary, "Other", acts=STATEFUL))
    warnings = [(record.name, "no stateful callback" in record.getMessage()) for record in caplog.records]
    assert warnings == [("FakeTrainer", True), ("FakeTrainer", False), ("ResumePoint", True), ("ResumePoint", False)]
    assert diary.of("load_state_dict") == []


def test_an_evaluation_resumes_as_well(first: FakeRun, diary: Diary) -> None:
    """Both loads and the file hook come before `at_eval`, at the counter of the checkpoint."""
    resumed(first, "E1_U4_S8").evaluate(recorder(diary, acts=STATEFUL))
    load = ["A.state_dict", "A.state_dict", "A.load_state_dict"]
    assert diary.calls(but=()) == [*load, *load, "A.resume_from_checkpoint", "A.at_eval", "A.periodic_callback"]
    assert diary.points("at_eval") == ["E1_U4_S8"]


def test_a_missing_checkpoint_is_named_with_what_is_there(first: FakeRun) -> None:
    """The trainer cannot be built, and the message lists the files."""
    with pytest.raises(FileNotFoundError, match=r"no model_cp=nope_trainer.th .* holds model_cp=E0_U3_S6_model.th, "):
        resumed(first, "nope")


def test_a_checkpoint_with_the_fresh_weights_is_refused(tmp_path: Path, diary: Diary) -> None:
    """Weights whose norm does not change seem not to have been loaded."""

    def save(callback: Any) -> None:
        callback.checkpoint_writer.save(callback.model, "start", trainer=callback.trainer)

    first = FakeRun(output_root=tmp_path, run_id="first").train(recorder(Diary(), acts={"before_training": save}))
    with pytest.raises(RuntimeError, match="has not changed the weights"):
        resumed(first, "start").train(recorder(diary))


def test_an_unsafe_state_is_written_and_cannot_be_read_back(tmp_path: Path) -> None:
    """Saving takes anything; loading at torch's defaults refuses all but tensors and plain types."""
    acts = {**saving(3), "state_dict": lambda _: {"where": Path("here")}}
    first = FakeRun(output_root=tmp_path, run_id="first").train(recorder(Diary(), acts=acts))
    with pytest.raises(Exception, match="Weights only load failed"):
        resumed(first, "E0_U3_S6")


def test_a_reference_to_a_checkpoint_names_root_run_and_tag(first: FakeRun, tmp_path: Path) -> None:
    """What `checkpoint` answers is what a plan resumes from."""
    assert first.checkpoint("latest") == Checkpoint(output_root=tmp_path, run_id="first", tag="latest")
