"""Files of a run: what is read, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.resume.files import contents, of_the_kit
from noether_testkit.plan import Checkpoint


def outcome_of(folder: Path | None, **fields: Any) -> Outcome:
    return Outcome(error=None, run_folder=folder, **fields)


def test_torch_and_json_are_read(tmp_path: Path) -> None:
    """Their content is compared; of others, which may be tables, only that they are there."""
    (tmp_path / "sub").mkdir()
    torch.save({"state_dict": {"a": torch.ones(1)}, "run_id": "run-7"}, tmp_path / "sub" / "mine.th")
    (tmp_path / "best.json").write_text(json.dumps({"best": 1}))
    (tmp_path / "table.csv").write_text("update\n1\n")
    assert contents(outcome_of(tmp_path)) == {
        "best.json": {"best": 1},
        "sub/mine.th": {"state_dict": {"a": torch.ones(1)}},
        "table.csv": "written",
    }


def test_what_cannot_be_read_is_told_so(tmp_path: Path) -> None:
    """A callback may write anything under any name."""
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "broken.pt").write_bytes(b"nothing")
    assert set(contents(outcome_of(tmp_path)).values()) == {"unreadable"}


def test_what_the_trainer_writes_is_left_out(tmp_path: Path) -> None:
    """Its tracker, and the checkpoints of a run that was ended or died."""
    (tmp_path / "tracker").mkdir()
    for name in ("tracker/entries.th", "m_cp=E1_U4_S8.early_exit_model.th", "m_cp=E1_U4_S8.error_trainer.th"):
        (tmp_path / name).write_bytes(b"")
    assert contents(outcome_of(tmp_path)) == {}


def test_a_run_without_folder_has_no_files(tmp_path: Path) -> None:
    """A run may have died before it had one."""
    assert contents(outcome_of(None)) == {}
    assert contents(outcome_of(tmp_path / "nowhere")) == {}


def test_the_kits_own_checkpoints_are_named(tmp_path: Path) -> None:
    """Model, optimiser and trainer of each tag."""
    checkpoint = Checkpoint(output_root=tmp_path, run_id="run-0", tag="E0_U2_S4")
    names = of_the_kit(outcome_of(tmp_path, checkpoints={2: checkpoint}))
    assert {name.rpartition("_cp=")[2] for name in names} == {
        "E0_U2_S4_model.th",
        "E0_U2_S4_optim.th",
        "E0_U2_S4_trainer.th",
    }
