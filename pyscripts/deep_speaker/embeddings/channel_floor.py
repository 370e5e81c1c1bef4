"""The floor that a network has to beat: statistics of the log frames and LDA, no network.

In small corpora every speaker sits in one recording condition, and the mean spectrum, which is
mostly the channel, tells speakers apart. The variant without the mean shows how much of that is
left.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.config import Experiment
from deep_speaker.config.made import sections_of
from deep_speaker.corpora.speaker_splits import split_for_scoring
from deep_speaker.embeddings.lda import fit_lda
from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.features.origins import tables_heard
from deep_speaker.features.source import FeatureSource, Section
from deep_speaker.features.torchaudio import LOG_OFFSET


def extract_statistics(
    train_dir: Path, test_dir: Path, output: Path, experiment: Experiment, with_mean: bool
) -> None:
    """Write `output`/xvectors_{train,test} from statistics, standardised and projected by LDA.

    LDA is fitted on the speakers that train networks too. The held-out ones are left out, since
    they calibrate the scores. A speaker with one utterance gives disjoint parts of it, as to a
    network.
    """
    train, test = FeatureSource(train_dir, experiment), FeatureSource(test_dir, experiment)
    chunk_frames = experiment.first_phase.chunk_frames
    speakers, held_out = split_for_scoring(train_dir, experiment)
    parts = train.sections_by_speaker(speakers, chunk_frames)
    sections = [section for found in parts.values() for section in found]
    labels = [speaker for speaker, found in parts.items() for _ in found]
    vectors = np.stack([section_statistics(train, section, with_mean) for section in sections])
    project = fit_projection(vectors, labels)
    settings = sections_of(experiment, "features", "voice_activity", "seed", "held_out")
    first_phase = "distillation" if experiment.distillation else "pretraining"
    settings[first_phase] = {"chunk_frames": chunk_frames}
    for source, name in ((train, "train"), (test, "test")):
        utterances = list(source.utt2spk)
        whole = [section_statistics(source, source.whole(key), with_mean) for key in utterances]
        projected = project(np.stack(whole))
        embeddings = dict(zip(utterances, at_unit_length(projected), strict=True))
        noted = held_out if source is train else []
        made_of = {*tables_heard(train_dir), *tables_heard(source.data_dir)}
        write_xvectors(
            output / f"xvectors_{name}", embeddings, source.utt2spk, noted, made_of, settings
        )


def section_statistics(source: FeatureSource, section: Section, with_mean: bool) -> np.ndarray:
    """Return the mean of the voiced frames, unless left out, then their deviation: (dim,).

    Of log frames; of standardised ones as they are, which may be below 0.
    """
    frames = source.read_stored(section)
    if not source.options.log and not source.options.standardised:
        frames = np.log(frames + np.float32(LOG_OFFSET))
    deviation = frames.std(axis=0)
    return np.concatenate([frames.mean(axis=0), deviation]) if with_mean else deviation


def fit_projection(
    vectors: np.ndarray, labels: Sequence[str]
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit standardisation and LDA on vectors (sections, dim) with the names of their speakers."""
    mean, deviation = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
    deviation[deviation == 0] = 1

    def standardise(others: np.ndarray) -> np.ndarray:
        return (others - mean.astype(others.dtype)) / deviation.astype(others.dtype)

    codes = np.unique(labels, return_inverse=True)[1]
    lda = fit_lda(standardise(vectors), codes, vectors.shape[1])
    return lambda others: standardise(others) @ lda
