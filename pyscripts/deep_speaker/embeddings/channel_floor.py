"""The floor that a network has to beat: statistics of the log frames and LDA, no network.

In small corpora every speaker sits in one recording condition, and the mean spectrum, which is
mostly the channel, tells speakers apart. The variant without it shows what is left of that.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.preprocessing import StandardScaler

from deep_speaker.config import Experiment
from deep_speaker.corpora.speaker_splits import split_for_scoring
from deep_speaker.embeddings.lda import fit_lda
from deep_speaker.embeddings.xvectors import at_unit_length, write_xvectors
from deep_speaker.features.source import FeatureSource, Section
from deep_speaker.features.torchaudio import LOG_OFFSET


def extract_statistics(
    train_dir: Path, test_dir: Path, output: Path, experiment: Experiment, with_mean: bool
) -> None:
    """Write `output`/xvectors_{train,test} from statistics, standardised and projected by LDA.

    LDA is fitted on the speakers that train networks too, without the held-out ones, who calibrate
    its scores; of a speaker with one utterance on disjoint parts of it, as in training.
    """
    train, test = FeatureSource(train_dir, experiment), FeatureSource(test_dir, experiment)
    chunk_frames = experiment.pretraining.chunk_frames
    training, held_out = split_for_scoring(list(set(train.utt2spk.values())), experiment)
    parts = train.sections_by_speaker(training, chunk_frames)
    sections = [section for found in parts.values() for section in found]
    labels = [speaker for speaker, found in parts.items() for _ in found]
    vectors = np.stack([section_statistics(train, section, with_mean) for section in sections])
    project = fit_projection(vectors, labels)
    for source, name in ((train, "train"), (test, "test")):
        utterances = list(source.utt2spk)
        whole = [section_statistics(source, source.whole(key), with_mean) for key in utterances]
        projected = project(np.stack(whole))
        embeddings = dict(zip(utterances, at_unit_length(projected), strict=True))
        noted = held_out if source is train else []
        write_xvectors(output / f"xvectors_{name}", embeddings, source.utt2spk, noted)


def section_statistics(source: FeatureSource, section: Section, with_mean: bool) -> np.ndarray:
    """Standard deviation, after the mean unless that is left out, of the voiced log frames."""
    frames = source.read_stored(section)
    if not source.options.log:
        frames = np.log(frames + np.float32(LOG_OFFSET))
    deviation = frames.std(axis=0)
    return np.concatenate([frames.mean(axis=0), deviation]) if with_mean else deviation


def fit_projection(
    vectors: np.ndarray, labels: Sequence[str]
) -> Callable[[np.ndarray], np.ndarray]:
    """Standardisation and LDA, of vectors (sections, dimension) with their speakers."""
    scaler = StandardScaler().fit(vectors)
    speakers = np.unique(labels, return_inverse=True)[1]
    lda = fit_lda(scaler.transform(vectors), speakers, vectors.shape[1])
    return lambda others: scaler.transform(others) @ lda
