"""Make tiny experiments as stage 4 leaves them, and run local/kaldi_plda.sh on them."""

import os
import subprocess
import sys
from pathlib import Path

from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.trials.lists import Trial, write_trials
from deep_speaker.trials.models import write_models
from support.scored_folders import MODELS, TEST, TRAIN, held_out_of
from support.tiny_xvectors import make_vectors, write_data_dir

SCRIPT = Path(__file__).parents[2] / "local/kaldi_plda.sh"
LISTS = {"trials": list(TEST), "trials_groups": ["s0", "s2", "s3", *MODELS]}
BACKENDS = ("kaldi_plda", "kaldi_cosine")
HELD_OUT = held_out_of(TRAIN)
LDA_DIM = 4
SPEAKER_OF = TEST | {name: TEST[members[0]] for name, members in MODELS.items()}


def make_experiment_folder(top: Path, phase: str = "finetuning") -> Path:
    """Make data/ and exp/ of an experiment after stage 4; return the experiment's folder."""
    data, experiment = top / "data/mine", top / "exp/mine/tiny"
    for name, utt2spk, seed in (("train", TRAIN, 0), ("test", TEST, 1)):
        write_data_dir(data / name, utt2spk)
        vectors = {key: at_unit_length(v) for key, v in make_vectors(utt2spk, seed).items()}
        noted = HELD_OUT if name == "train" else ()
        write_xvectors(experiment / phase / f"xvectors_{name}", vectors, utt2spk, noted)
    write_models(data / "test", MODELS)
    for name, enrolled in LISTS.items():
        pairs = [(enroll, test) for enroll in enrolled for test in TEST if enroll != test]
        speakers = [(SPEAKER_OF.get(enroll, enroll), TEST[test]) for enroll, test in pairs]
        labels = [enroll == test for enroll, test in speakers]
        trials = [Trial(*pair, label) for pair, label in zip(pairs, labels, strict=True)]
        write_trials(data / "test" / name, trials)
    return experiment


def data_of(experiment: Path) -> Path:
    return experiment.parents[2] / "data/mine"


def run(
    *words: str | Path | int, cwd: Path, kaldi: Path | str = "", path: str = "", failing: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the script; of programs it finds the system's own, and no Kaldi that is installed."""
    return subprocess.run(
        [str(word) for word in (SCRIPT, *words)],
        cwd=cwd,
        env={
            "PATH": path + os.defpath,
            "KALDI_ROOT": str(kaldi),
            "FAILING": failing,
            "VIRTUAL_ENV": sys.prefix,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
