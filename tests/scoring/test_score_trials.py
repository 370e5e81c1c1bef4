"""The command of stage 5: all lists, phases, held-out speakers alike."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import score_trials as score_trials_command
from deep_speaker.embeddings.held_out import write_held_out
from deep_speaker.embeddings.xvectors import read_unit_vectors
from deep_speaker.scoring import key_vectors
from deep_speaker.scoring.list_scoring import check_held_out_alike
from deep_speaker.scoring.score_files import find_score_files, score_file
from deep_speaker.trials.lists import read_trials, write_trials
from support.scored_folders import (
    experiment_of,
    random_trials,
)
from support.tiny_data import write_experiment
from support.tiny_xvectors import (
    parse_scores,
)


def test_command_scores_every_list_of_a_folder_by_vectors_read_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"trials": 5, "trials_hard": 3, "trials_hard_one_plus_99": 2}
    for name, count in counts.items():
        write_trials(folder / "test" / name, random_trials(count, seed=count))
    (folder / "test/trials_half.partial").write_text("s0-0 s0")
    backends = ("lda", "cosine")
    config = write_experiment(folder / "tiny.yaml", experiment_of(*backends))
    reads = []

    def read(directory: Path) -> dict[str, np.ndarray]:
        reads.append(directory.name)
        return read_unit_vectors(directory)

    monkeypatch.setattr(key_vectors, "read_unit_vectors", read)
    prefix = folder / "scores/fine.tuned"
    shutil.copytree(folder / "p", folder / "fine.tuned")
    paths = [str(path) for path in (folder / "train", folder / "test", folder)]
    words = ["score_trials.py", "--config", str(config), *paths, "fine.tuned"]
    monkeypatch.setattr("sys.argv", words)
    score_trials_command.main()
    assert sorted(reads) == ["xvectors_test", "xvectors_train"]
    names = {f"fine.tuned.{name}.{b}" for name in (*counts, "calibration_trials") for b in backends}
    found = {path.name for path in prefix.parent.iterdir()}
    assert found == names | {"calibration_trials", "config.yaml", "made_of.json"}
    assert tuple(find_score_files(prefix, Path("trials"))) == backends  # the config's order
    for name in counts:
        trials = read_trials(folder / "test" / name)
        for backend in backends:
            scored = parse_scores(score_file(prefix, Path(name), backend))
            assert list(scored) == list(dict.fromkeys(trial[:2] for trial in trials))


def test_without_training_speakers_what_is_fitted_is_left_out_and_its_scores_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_trials(folder / "test/trials", random_trials(5, seed=5))
    config = write_experiment(folder / "tiny.yaml", experiment_of("lda", "cosine"))
    paths = [str(path) for path in (folder / "train", folder / "test", folder)]
    words = ["score_trials.py", "--config", str(config), *paths, "p"]
    monkeypatch.setattr("sys.argv", words)
    score_trials_command.main()
    with_speakers = score_file(folder / "scores/p", Path("trials"), "cosine").read_text()
    (folder / "train").rename(folder / "elsewhere")
    caplog.set_level("INFO")
    score_trials_command.main()
    assert {path.name for path in (folder / "scores").iterdir()} == {
        "config.yaml",
        "made_of.json",
        "p.trials.cosine",
    }
    assert score_file(folder / "scores/p", Path("trials"), "cosine").read_text() == with_speakers
    assert f"Left out, since {folder} has no training speakers" in caplog.messages[0]
    assert "; the back ends lda; " in caplog.messages[0]
    write_experiment(config, experiment_of("lda", "plda"))
    with pytest.raises(
        ValueError, match=r"lda, plda are fitted .*: add cosine to scoring.backends"
    ):
        score_trials_command.main()


def test_training_speakers_in_another_place_are_not_taken_for_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped folder is an error, not a reason to score by less."""
    config = write_experiment(folder / "tiny.yaml", experiment_of("lda", "cosine"))
    paths = [str(path) for path in (folder / "trian", folder / "test", folder)]
    monkeypatch.setattr("sys.argv", ["score_trials.py", "--config", str(config), *paths, "p"])
    with pytest.raises(ValueError, match="trian/utt2spk is missing"):
        score_trials_command.main()


@pytest.mark.parametrize("word", ["", "a/b"])
def test_a_phase_is_the_name_of_a_folder(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score_trials.py", "--config", "c", "train", "test", "experiment", word]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit):
        score_trials_command.main()
    assert f"'{word}': " in capsys.readouterr().err


def test_systems_that_held_out_others_are_refused(folder: Path) -> None:
    shutil.copytree(folder / "p", folder / "q")
    arguments = experiment_of("cosine"), folder / "train", folder, ["p", "q"]
    check_held_out_alike(*arguments)
    write_held_out(folder / "q/xvectors_train", ["t0"])
    with pytest.raises(ValueError, match=r"/p/xvectors_train .*/q/xvectors_train .*stages 2 to 4"):
        check_held_out_alike(*arguments)
