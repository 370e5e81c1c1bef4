"""The floor that a network has to beat: statistics of the log frames and LDA, no network.

In small corpora every speaker sits in one recording condition, and the mean spectrum, which is
mostly the channel, tells speakers apart. The variant without it shows what is left of that.
"""

from pathlib import Path

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from deep_speaker.config import Experiment
from deep_speaker.dataset import FeatureSource, Section
from deep_speaker.features.torchaudio import LOG_OFFSET
from deep_speaker.xvectors import unit_length, write_xvectors


def extract_statistics(
    train_dir: Path, test_dir: Path, output: Path, experiment: Experiment, with_mean: bool
) -> None:
    """Write `output`/xvectors_{train,test} from statistics, standardised and projected by LDA.

    LDA is fitted on the training set; a training speaker with one utterance gives disjoint parts
    of it, as in training.
    """
    train, test = FeatureSource(train_dir, experiment), FeatureSource(test_dir, experiment)
    chunk_frames = experiment.pretraining.chunk_frames
    parts = train.sections_by_speaker(sorted(set(train.utt2spk.values())), chunk_frames)
    sections = [section for found in parts.values() for section in found]
    labels = [speaker for speaker, found in parts.items() for _ in found]
    vectors = np.stack([section_statistics(train, section, with_mean) for section in sections])
    model = fit_lda(vectors, np.array(labels))
    for source, name in ((train, "train"), (test, "test")):
        utterances = list(source.utt2spk)
        whole = [section_statistics(source, source.whole(key), with_mean) for key in utterances]
        projected = model.transform(np.stack(whole))
        embeddings = {
            key: unit_length(vector) for key, vector in zip(utterances, projected, strict=True)
        }
        write_xvectors(output / f"xvectors_{name}", embeddings, source.utt2spk)


def section_statistics(source: FeatureSource, section: Section, with_mean: bool) -> np.ndarray:
    """Standard deviation, after the mean unless that is left out, of the voiced log frames."""
    frames = source.read_stored(section)
    if not source.options.log:
        frames = np.log(frames + np.float32(LOG_OFFSET))
    deviation = frames.std(axis=0)
    return np.concatenate([frames.mean(axis=0), deviation]) if with_mean else deviation


def fit_lda(vectors: np.ndarray, labels: np.ndarray) -> Pipeline:
    """Standardisation and LDA; the within-class covariance is shrunk (Ledoit and Wolf 2004).

    Args:
        vectors: shape (sections, dimension).
        labels: speakers, shape (sections,).
    """
    lda = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
    return make_pipeline(StandardScaler(), lda).fit(vectors, labels)
