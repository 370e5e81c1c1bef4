"""Pieces: what a network embeds of an utterance, the whole or crops of its frames or samples."""

from collections.abc import Iterable, Iterator

import numpy as np

from deep_speaker.config import Experiment, Extraction
from deep_speaker.features import front_ends
from deep_speaker.features.samples import SampleSource
from deep_speaker.features.source import FeatureSource, Section, fit_length


class PieceReader:
    """Reads the pieces of utterances, as the experiment's `extraction` says.

    Sample crops are cut from all of an utterance: the voice activity of stage 1, which all other
    pieces keep to, does not change them.

    Attributes:
        source: of the voiced frames, from which all but sample crops are cut.
    """

    def __init__(self, source: FeatureSource, experiment: Experiment, fewest: int = 1) -> None:
        """Open the samples where they are needed.

        Args:
            fewest: the fewest frames that the network takes.
        """
        self.source = source
        self._experiment = experiment
        self._fewest = fewest
        self._samples: SampleSource | None = None
        if experiment.extraction.method == "sample_crops":
            self._samples = SampleSource(source.data_dir, experiment.features.sampling_rate)

    def in_order(self, utterances: Iterable[str]) -> list[str]:
        """Sort utterances by length, or by recording where samples are read."""
        if self._samples is not None:  # whose crops are all of one length
            return self._samples.in_order(utterances)
        return sorted(utterances, key=self.source.num_voiced)

    def read(self, utterance: str) -> Iterator[np.ndarray]:
        """Read the pieces of an utterance, one by one: normalised frames (frames, bins) of each."""
        if self._samples is not None:
            yield from analyse_crops(self._samples.read(utterance), self._experiment)
            return
        options, whole = self._experiment.extraction, self.source.whole(utterance)
        if options.by_crops or whole.num_frames <= options.max_frames:
            yield from cut_pieces(self.source.read(whole), options, self._fewest)
            return
        count = count_pieces(whole.num_frames, options)
        for frames in np.array_split(np.arange(whole.num_frames), count):  # as `cut_pieces` does
            yield self.source.read(Section(utterance, int(frames[0]), int(frames[-1]) + 1))


def cut_pieces(frames: np.ndarray, options: Extraction, fewest: int = 1) -> list[np.ndarray]:
    """Cut an utterance's frames into the pieces that are embedded, as configured.

    The whole utterance, or equal pieces of it, each of at most `max_frames`; it is repeated from
    its beginning where it is shorter than `fewest` frames. Or `num_crops` crops of `crop_frames`
    frames, evenly spaced from the first frame to the last; a short utterance is repeated likewise.
    """
    if not options.by_crops:
        count = count_pieces(len(frames), options)
        return np.array_split(fit_length(frames, max(len(frames), fewest)), count)
    frames = fit_length(frames, max(len(frames), options.crop_frames))
    starts = np.linspace(0, len(frames) - options.crop_frames, options.num_crops).astype(int)
    return [frames[start : start + options.crop_frames] for start in starts]


def count_pieces(num_frames: int, options: Extraction) -> int:
    """Count the equal pieces of a whole utterance, each of at most `max_frames`."""
    return -(-num_frames // options.max_frames)


def analyse_crops(samples: np.ndarray, experiment: Experiment) -> list[np.ndarray]:
    """Cut samples into crops, and compute the frames (frames, bins) of each, all of one length.

    All of them are kept, voiced or not: voxceleb_trainer, the source, detects no voice. Frames that
    are centred reflect a crop's ends, not the utterance's. The network normalises them.
    """
    crops = cut_samples(samples, crop_samples(experiment), experiment.extraction)
    return [front_ends.compute_frames(crop, experiment.features)[0] for crop in crops]


def cut_samples(samples: np.ndarray, length: int, options: Extraction) -> list[np.ndarray]:
    """Cut `num_crops` crops of `length` samples, evenly spaced from the first to the last sample.

    Utterances that are not longer than a crop are lengthened as by voxceleb_trainer's loadWAV:
    `repeat` (its code since 2020-09, 33b81d2) goes on from their beginning up to one sample more
    than a crop, so that the last crop begins at the second one; `zeros` (its code before) puts half
    of what they lack on either side, rounded up.
    """
    lacking = length - len(samples)
    if lacking >= 0 and options.short_utterances == "repeat":
        samples = fit_length(samples, length + 1)
    elif lacking >= 0:
        samples = np.pad(samples, (lacking + 1) // 2)
    starts = np.linspace(0, len(samples) - length, options.num_crops).astype(int)
    return [samples[start : start + length] for start in starts]


def crop_samples(experiment: Experiment) -> int:
    """Return the samples of a sample crop: those that `crop_frames` frames lie on."""
    length, shift = experiment.features.frame_samples
    return (experiment.extraction.crop_frames - 1) * shift + length


def fewest_crop_frames(experiment: Experiment) -> int:
    """Count the frames of a crop, of frames or, if the front end makes fewer, of samples."""
    fewest = experiment.extraction.crop_frames
    if experiment.extraction.method == "sample_crops":
        silence = np.zeros(crop_samples(experiment), dtype=np.float32)
        fewest = min(fewest, len(front_ends.compute_frames(silence, experiment.features)[0]))
    return fewest
