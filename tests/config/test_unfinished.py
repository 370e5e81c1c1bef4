"""Marks of stages that have not ended: a later stage does not begin."""

import re
from pathlib import Path

import pytest

from deep_speaker.config.unfinished import check_finished

TRAINED = ["pretraining", "finetuning"]


@pytest.mark.parametrize("stage", range(7))
def test_a_stage_begins_unless_one_before_it_has_not_ended(tmp_path: Path, stage: int) -> None:
    data, experiment = tmp_path / "data", tmp_path / "exp"
    data.mkdir()
    experiment.mkdir()
    for marked in range(7):
        mark = (data if marked < 2 else experiment) / f"stage_{marked}.unfinished"
        mark.touch()
        if marked < stage:
            told = f"stage {marked} .*--stage {marked}.* remove {re.escape(str(mark))} "
            with pytest.raises(ValueError, match=told):
                check_finished(stage, data, experiment, TRAINED)
        else:
            check_finished(stage, data, experiment, TRAINED)
        mark.unlink()


def test_an_old_phase_is_not_gone_on_with_where_a_new_one_was_begun(tmp_path: Path) -> None:
    (tmp_path / "pretraining.partial").mkdir()
    check_finished(3, tmp_path, tmp_path, TRAINED)  # there is nothing to go on with
    (tmp_path / "pretraining").mkdir()
    check_finished(2, tmp_path, tmp_path, TRAINED)
    with pytest.raises(ValueError, match=r"stage 2 .*pretraining\.partial.*--stage 2; or remove"):
        check_finished(3, tmp_path, tmp_path, TRAINED)
    check_finished(3, tmp_path, tmp_path, ["finetuning"])
