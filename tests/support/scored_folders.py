"""Data directories with x-vectors of two sets, stage 5 run on them, and slow scores."""

import math
import shutil
from collections.abc import Iterable
from pathlib import Path

import kaldiio
import numpy as np

from deep_speaker.config import Experiment
from deep_speaker.corpora.speaker_splits import split_speakers
from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.scoring.list_scoring import score_phase
from deep_speaker.trials.lists import Trial, write_trials
from support.tiny_data import make_experiment
from support.tiny_xvectors import make_utt2spk, make_vectors, write_data_dir

TRAIN, TEST = make_utt2spk("t", 25, 4), make_utt2spk("s", 4, 3)
MODELS = {"m": ["s0-0", "s0-2"], "s1": ["s1-1"], "alone": ["s2-0"], "twin": ["s3-0", "s3-1"]}
ALL = ("cosine", "centred_cosine", "lda", "plda", "cosine_as_norm", "plda_as_norm")


def experiment_of(*backends: str) -> Experiment:
    """Make an experiment that holds out 10 of 25 speakers, just enough to calibrate by."""
    return make_experiment(scoring={"backends": backends, "lda_dim": 4, "cohort_size": 4})


def random_trials(count: int, seed: int = 1) -> list[Trial]:
    """Draw pairs of utterances, and of speakers with utterances, in no order."""
    rng = np.random.default_rng(seed)
    keys = [*TEST, *dict.fromkeys(TEST.values())]
    pairs = rng.integers([len(keys), len(TEST)], size=(count, 2)).tolist()
    return [Trial(keys[i], list(TEST)[j], bool(i % 2)) for i, j in pairs]


OWN = "test an utterance by which they enrol"  # a warning that random lists cause


def make_folder(tmp_path: Path) -> Path:
    """Write data directories train/ and test/, trials, and x-vectors of both by a phase p."""
    for name, utt2spk, seed in (("train", TRAIN, 0), ("test", TEST, 1)):
        write_data_dir(tmp_path / name, utt2spk)
        vectors = make_vectors(utt2spk, seed)
        write_xvectors(tmp_path / f"p/xvectors_{name}", vectors, utt2spk)
    write_trials(tmp_path / "test/trials", random_trials(100))
    return tmp_path


def score(folder: Path, *backends: str, phase: str = "p") -> Path:
    """Run the stage, and return the folder of the scores."""
    if not (folder / phase).exists():
        shutil.copytree(folder / "p", folder / phase)
    experiment = experiment_of(*(backends or ("cosine",)))
    score_phase(experiment, folder / "train", folder / "test", folder, phase)
    return folder / "scores"


def replace_train(folder: Path, utt2spk: dict[str, str], held_out: Iterable[str] = ()) -> None:
    """Replace the training set and its x-vectors, which list those held out, if there are any."""
    write_data_dir(folder / "train", utt2spk)
    write_xvectors(folder / "p/xvectors_train", make_vectors(utt2spk, 0), utt2spk, held_out)


def held_out_of(utt2spk: dict[str, str]) -> set[str]:
    return set(split_speakers(utt2spk, experiment_of("cosine").held_out, 0)[1])


def slow_cosine(a: np.ndarray, b: np.ndarray) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(x * x for x in b))


def slow_vectors(directory: Path) -> dict[str, np.ndarray]:
    """Read the vectors of utterances by kaldiio, at unit length."""
    vectors = dict(kaldiio.load_scp(str(directory / "xvector.scp")))
    return {key: vector.astype(float) / math.hypot(*vector) for key, vector in vectors.items()}
