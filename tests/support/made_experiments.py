"""An experiment of seconds that stages 1 to 6 have made, by their functions, with all records."""

import json
import shutil
from pathlib import Path

import pytest

import extract_embeddings
from deep_speaker.config import Experiment
from deep_speaker.embeddings.channel_floor import extract_statistics
from deep_speaker.features.origins import note_features
from deep_speaker.kaldi.tables import write_table
from deep_speaker.results.computation import compute_rows, files_behind, write_results
from deep_speaker.results.rows import ResultRow
from deep_speaker.scoring.list_scoring import score_phase
from deep_speaker.system.origins import note_origins
from deep_speaker.trials.lists import Trial, write_trials
from support.tiny_data import make_experiment, make_frames, write_experiment, write_features
from support.training_runs import run

TRAIN, TEST = Path("data/mine/train"), Path("data/mine/test")
MADE = Path("exp/mine/tiny")
PHASES = ["statistics", "pretraining", "finetuning"]
SECTIONS = {
    "held_out": {"speaker_share": 0.5},
    "pretraining": {"epochs": 1, "steps_per_epoch": 2, "speakers_per_batch": 3},
    "finetuning": {"epochs": 1, "steps_per_epoch": 2},
    "scoring": {"backends": ("cosine", "lda"), "lda_dim": 2},
}
EXPERIMENT = make_experiment(**SECTIONS)


def changed(section: str, **keys: object) -> Experiment:
    """Return the experiment with other keys of a section."""
    return make_experiment(**SECTIONS | {section: SECTIONS.get(section, {}) | keys})  # type: ignore[operator]


def write_data() -> None:
    """Write features of both sets as stage 1 leaves them, and trials."""
    for folder, seed in ((TRAIN, 0), (TEST, 1)):
        make_features(folder, seed)
    keys = [line.split()[0] for line in (TEST / "utt2spk").read_text().splitlines()]
    pairs = [(a, b) for a in keys for b in keys if a < b]
    write_trials(TEST / "trials", [Trial(a, b, a[:3] == b[:3]) for a, b in pairs])


def make_features(folder: Path, seed: int) -> None:
    """Write features of the same utterances, others for each seed, as stage 1 does."""
    shutil.rmtree(folder, ignore_errors=True)
    frames = make_frames(8, 3, seed=seed)
    write_features(folder, frames, EXPERIMENT)
    write_table(folder / "wav.scp", {key: f"/speech/{key}.{seed}.wav" for key in frames})
    note_features(folder)


def train_phases(experiment: Experiment = EXPERIMENT) -> None:
    run(TRAIN, MADE / "pretraining", experiment)
    fine_tune(experiment)


def fine_tune(experiment: Experiment = EXPERIMENT) -> None:
    run(TRAIN, MADE / "finetuning", experiment, "finetuning", MADE / "pretraining/best.pt")


def embed(experiment: Experiment = EXPERIMENT, *phases: str) -> None:
    """Embed both sets by networks, by the command; and the floor, if no phase is named."""
    config = write_experiment(Path("asked.yaml"), experiment)
    first, *others = [(f"{MADE}/{name}/best.pt", f"{MADE}/{name}") for name in phases or PHASES[1:]]
    also = [word for pair in others for word in ("--also", *pair)]
    options = ["--config", str(config), *["--nj", "1", "--device", "cpu", "--precision", "float32"]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["x", *options, *also, *first, str(TRAIN), str(TEST)])
        extract_embeddings.main()
    if not phases:
        extract_statistics(TRAIN, TEST, MADE / "statistics", experiment, True)


def score(experiment: Experiment = EXPERIMENT) -> None:
    for phase in PHASES:
        score_phase(experiment, TRAIN, TEST, MADE, phase)


def judge(experiment: Experiment = EXPERIMENT) -> list[ResultRow]:
    """Compute and write the results as stage 6 does."""
    asked = experiment.model_dump(mode="json")
    rows = compute_rows(TEST, MADE / "scores", PHASES, asked)
    write_results(MADE / "results.json", rows)
    note_origins([MADE / "results.json"], files_behind(TEST, MADE / "scores", PHASES))
    return rows


def records() -> list[Path]:
    found = sorted(Path().rglob("made_of.json"))
    assert all(json.loads(path.read_text()) for path in found)
    return found
