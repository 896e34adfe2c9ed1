"""Files of a run: what is read, and what is left out."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.resume.files import Digest, Lines, contents, of_the_kit, tables
from noether_testkit.plan import Checkpoint


def outcome_of(folder: Path | None, **fields: Any) -> Outcome:
    return Outcome(error=None, run_folder=folder, **fields)


def test_what_is_in_files_is_read(tmp_path: Path) -> None:
    """Formats that hold values are read as such, and other texts are lines."""
    (tmp_path / "sub").mkdir()
    torch.save({"state_dict": {"a": torch.ones(1)}, "run_id": "run-7"}, tmp_path / "sub" / "mine.th")
    (tmp_path / "best.json").write_text(json.dumps({"best": 1}))
    (tmp_path / "best.yaml").write_text("best: 1\n")
    (tmp_path / "best.txt").write_text("0.5\n")
    (tmp_path / "best.pkl").write_bytes(pickle.dumps([1, 2]))
    (tmp_path / "table.csv").write_text("update\n1\n")
    np.savez(tmp_path / "best.npz", a=np.ones(1))
    assert contents(outcome_of(tmp_path)) == {
        "best.json": {"best": 1},
        "best.npz": {"a": np.ones(1)},
        "best.pkl": [1, 2],
        "best.txt": Lines(("0.5",)),
        "best.yaml": {"best": 1},
        "sub/mine.th": {"state_dict": {"a": torch.ones(1)}},
        "table.csv": Lines(("update", "1")),
    }


def test_what_each_run_has_for_itself_is_left_out(tmp_path: Path) -> None:
    """Ids of runs, which are names of folders, and dates are the same in all files and names."""
    (tmp_path / "of_run-3.txt").write_text("/tmp/run-3 on 2026-02-01 12:00:01.5\n")
    (tmp_path / "where.json").write_text(json.dumps({"run": "run-3", "day": "2026-02-01"}))
    assert contents(outcome_of(tmp_path)) == {
        "of_run-….txt": Lines(("/tmp/run-… on …",)),
        "where.json": {"run": "run-…", "day": "…"},
    }


def test_other_files_have_a_fingerprint_and_containers_none(tmp_path: Path) -> None:
    """A data base holds rows, and an archive the time at which it was written."""
    for name, raw in (("a.bin", b"\xff\x00"), ("b.bin", b"\xff\x01"), ("c.db", b"SQLite format 3\x00\xff")):
        (tmp_path / name).write_bytes(raw)
    found = contents(outcome_of(tmp_path))
    assert isinstance(found["a.bin"], Digest)
    assert found["a.bin"] != found["b.bin"]
    assert found["a.bin"].size == "2 bytes"
    assert found["c.db"] == "written"


def test_a_list_in_json_is_a_table(tmp_path: Path) -> None:
    """Its entries are its rows; other JSON is none."""
    (tmp_path / "rows.json").write_text("[[1, 2], [3, 4]]")
    (tmp_path / "best.json").write_text('{"best": 1}')
    assert tables(outcome_of(tmp_path)) == {"rows.json": ["[1, 2]", "[3, 4]"]}


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
