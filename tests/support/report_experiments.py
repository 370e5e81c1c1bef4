"""A small experiment after stage 6: data, scores, x-vectors and results, all made up."""

import json
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.kaldi.data_dir import write_spk2utt
from deep_speaker.kaldi.tables import write_table
from deep_speaker.results.computation import compute_rows, write_results
from deep_speaker.scoring.score_files import CALIBRATION_TRIALS
from support.tiny_data import make_experiment, write_experiment

NOISE = {"statistics": 0.6, "untrained": 2.0, "pretraining": 0.4, "finetuning": 0.25}
PHASES = list(NOISE)


class Made(NamedTuple):
    """The folders of a test set and of an experiment."""

    data_dir: Path
    experiment_dir: Path


def make_reported(folder: Path, speakers: str = "abcdef", prefix: str = "") -> Made:
    """Make a finished experiment: all pairs of six speakers' utterances, and the 1 + 99 partner.

    A speaker has four utterances; `a`, `c` and `e` are female.

    Args:
        prefix: of all ids.
    """
    rng = np.random.default_rng(0)
    made = Made(folder / "data/toy/test", folder / "exp/toy/small")
    utt2spk = {f"{prefix}{s}-{i}": f"{prefix}{s}" for s in speakers for i in range(4)}
    for part in (made.data_dir, made.data_dir.parent / "train"):
        write_table(part / "utt2spk", utt2spk)
        write_spk2utt(part / "spk2utt", sorted(utt2spk.items()))
        write_table(part / "utt2dur", dict.fromkeys(utt2spk, 1.5))
        write_table(part / "wav.scp", {key: f"/wav/{key}.wav" for key in utt2spk})
    sexes = {speaker: "fm"[i % 2] for i, speaker in enumerate(sorted(set(utt2spk.values())))}
    write_table(made.data_dir / "spk2gender", sexes)
    centres = rng.normal(size=(len(speakers), 16))
    vectors = {key: centres[i // 4] + rng.normal(size=16) / 2 for i, key in enumerate(utt2spk)}
    write_xvectors(made.experiment_dir / "finetuning/xvectors_test", vectors, utt2spk)
    pairs = [(a, b, utt2spk[a] == utt2spk[b]) for a, b in combinations(utt2spk, 2)]
    anchors = [
        (f"{prefix}{s}-0", f"{prefix}{other}-1", s == other) for s in speakers for other in speakers
    ]
    scores = made.experiment_dir / "scores"
    scores.mkdir()
    for path, trials in (
        (made.data_dir / "trials", pairs),
        (made.data_dir / "trials_one_plus_99", anchors),
        (scores / CALIBRATION_TRIALS, pairs),
    ):
        path.write_text("".join(f"{a} {b} {'non' * (not t)}target\n" for a, b, t in trials))
        for phase, noise in NOISE.items():
            backends = ("cosine", "plda") if phase == "finetuning" else ("cosine",)
            for backend in backends:
                lines = [f"{a} {b} {t + noise * rng.normal():.7f}\n" for a, b, t in trials]
                (scores / f"{phase}.{path.name}.{backend}").write_text("".join(lines))
    write_histories(made.experiment_dir)
    write_experiment(made.experiment_dir / "config.yaml", make_experiment())
    write_table(made.data_dir.parent / "stage_seconds", {"stage_0": 5, "stage_1": 61})
    write_table(made.experiment_dir / "stage_seconds", {"stage_2": 3725})
    write_rows(made)
    return made


def write_histories(experiment_dir: Path) -> None:
    """Write history.json of pre-training, of four epochs, and of fine-tuning, of two."""
    for phase, errors in {"pretraining": [9.0, 4.0, 4.0, 5.0], "finetuning": [3.0, 2.0]}.items():
        history = [
            {"loss": error / 10, "learning_rate": 0.1, "held_out_eer_percent": error}
            | ({"hard_share": 0.5} if phase == "finetuning" else {})
            for error in errors
        ]
        (experiment_dir / phase).mkdir(parents=True, exist_ok=True)
        (experiment_dir / phase / "history.json").write_text(json.dumps(history))


def write_rows(made: Made, phases: list[str] = PHASES) -> None:
    """Write what stage 6 writes before the report: results.json."""
    rows = compute_rows(made.data_dir, made.experiment_dir / "scores", phases)
    write_results(made.experiment_dir / "results.json", rows)
