"""The source of normalised voiced frames: the arks of stage 1, by whole utterance or by chunk."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_speaker.config import Experiment
from deep_speaker.config.made import check_made
from deep_speaker.config.stages import Stage
from deep_speaker.features import front_ends, voice_activity
from deep_speaker.features.normalisation import cmvn_mean_and_deviation, normalise
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.mapped_tables import MappedTable
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import find_uncopied, group_by_speaker

KEPT = 20000  # utterances of which what is small is kept: of 8 s each, some 30 MB in all


class Section(NamedTuple):
    """Voiced frames `start` to `stop` of one utterance, counted among its voiced frames."""

    utterance: str
    start: int
    stop: int

    @property
    def num_frames(self) -> int:
        return self.stop - self.start


class About(NamedTuple):
    """What is small of an utterance: `cmvn_sums`, and its voiced frames as bits (`numpy.packbits`).

    Copies, which keep no file mapped.
    """

    sums: np.ndarray
    voiced: np.ndarray


def read_about(cmvn: ArchiveTable, vad: ArchiveTable, utterance: str) -> About:
    """Read what is small of an utterance."""
    return About(np.array(cmvn.rows(utterance)), np.packbits(vad.rows(utterance) != 0))


class FeatureSource:
    """Normalised voiced frames of a data directory, read from its arks on demand."""

    def __init__(self, data_dir: Path, experiment: Experiment) -> None:
        self.data_dir = data_dir
        self.utt2spk = MappedTable(data_dir / "utt2spk")
        check_features(data_dir, experiment)
        self.options = experiment.features
        self._normalisation = experiment.normalisation
        self._feats = ArchiveTable(data_dir / "feats.scp", self.utt2spk)
        self._vad = ArchiveTable(data_dir / "vad.scp", self.utt2spk)
        self._cmvn = ArchiveTable(data_dir / "utt_cmvn.scp", self.utt2spk)
        self._about: Callable[[str], About] = partial(read_about, self._cmvn, self._vad)
        self._kept_about = lru_cache(KEPT)(self._about)

    @cached_property
    def with_copies(self) -> dict[str, list[str]]:
        """Each utterance that is no copy, and its copies; see `group_copies`."""
        return group_copies(self.data_dir, self.utt2spk)

    def num_voiced(self, utterance: str) -> int:
        """Count the voiced frames of an utterance."""
        return int(np.count_nonzero(self._vad.rows(utterance)))

    def whole(self, utterance: str) -> Section:
        """Return the section of all voiced frames of an utterance."""
        return Section(utterance, 0, self.num_voiced(utterance))

    def seconds(self, section: Section) -> tuple[float, float]:
        """Return where the first voiced frame of a section begins, and where its last one ends.

        Seconds in the utterance; of frames that reach past its ends, these may lie outside.
        """
        voiced = np.flatnonzero(self._vad.rows(section.utterance))
        length, shift = self.options.frame_samples
        first = self.options.first_sample + int(voiced[section.start]) * shift
        last = self.options.first_sample + int(voiced[section.stop - 1]) * shift + length
        return first / self.options.sampling_rate, last / self.options.sampling_rate

    def digest(self) -> str:
        """Hash what tells these frames from others: each utterance, its speaker, its sums.

        The sums of its voiced frames and of their squares change with the frames.
        """
        digest = hashlib.sha256()
        for utterance, speaker in self.utt2spk.items():
            digest.update(f"{utterance} {speaker}\n".encode())
            digest.update(self._cmvn.rows(utterance).tobytes())
        return digest.hexdigest()[:16]

    def read(self, section: Section) -> np.ndarray:
        """Read normalised voiced frames: float32, shape (section.num_frames, bins)."""
        return self._read([section], section.num_frames, self._about)[0]

    def read_chunks(self, sections: Sequence[Section], num_frames: int) -> np.ndarray:
        """Read sections of at most `num_frames`, and repeat each from its beginning up to that.

        What is small of the utterances is kept for their next sections.

        Returns:
            Normalised voiced frames: float32, shape (sections, num_frames, bins).
        """
        return self._read(sections, num_frames, self._kept_about)

    def _read(
        self, sections: Sequence[Section], num_frames: int, about: Callable[[str], About]
    ) -> np.ndarray:
        sums = np.stack([about(section.utterance).sums for section in sections])
        means, deviations = cmvn_mean_and_deviation(sums)
        chunks = np.empty((len(sections), num_frames, means.shape[1]), np.float32)
        for chunk, section, mean, deviation in zip(
            chunks, sections, means, deviations, strict=True
        ):
            count = section.num_frames
            frames = self._read_stored(section, about)
            normalise(frames, mean, deviation, self._normalisation, out=chunk[:count])
            if count < num_frames:
                chunk[count:] = chunk[np.arange(count, num_frames) % count]
        return chunks

    def read_stored(self, section: Section) -> np.ndarray:
        """Read voiced frames as stage 1 stored them: float32, shape (section.num_frames, bins)."""
        return self._read_stored(section, self._about)

    def _read_stored(self, section: Section, about: Callable[[str], About]) -> np.ndarray:
        is_voiced = np.unpackbits(about(section.utterance).voiced)
        voiced = is_voiced.nonzero()[0][section.start : section.stop]
        first, last = int(voiced[0]), int(voiced[-1])
        frames = self._feats.rows(section.utterance, first, last + 1)
        if len(frames) > len(voiced):
            frames = frames.take(voiced - first, axis=0)
        return frames.astype(np.float32, copy=False)  # Kaldi's may be double

    def sections_by_speaker(
        self, speakers: Iterable[str], section_frames: int, max_sections: int | None = None
    ) -> dict[str, list[Section]]:
        """List sections to compare speakers by: whole utterances, at most `max_sections` each.

        A speaker with a single utterance gets disjoint parts of it instead, each of
        `section_frames` or more; two halves if it is shorter than two such parts. Copies are left
        out.
        """
        spk2utt = group_by_speaker({key: self.utt2spk[key] for key in self.with_copies})
        sections = {}
        for speaker in speakers:
            found = [self.whole(utterance) for utterance in spk2utt[speaker][:max_sections]]
            if len(found) == 1:
                count = max(2, found[0].num_frames // section_frames)
                found = split_section(found[0], min(count, max_sections or count))
            sections[speaker] = found
        return sections


def group_copies(data_dir: Path, utt2spk: Mapping[str, str]) -> dict[str, list[str]]:
    """Return utterances, each with itself and the copies from which its chunks may be taken.

    Such copies are as long as the utterance, and of its speaker: copies at another speed count as
    utterances. Copies of another length, which augment_data_dir.py does not make, are left out.
    """
    if not (data_dir / "utt2uniq").is_file():
        return {key: [key] for key in utt2spk}
    originals = find_uncopied(utt2spk, read_table(data_dir / "utt2uniq"))
    num_frames = read_table(data_dir / "utt2num_frames")
    groups: dict[str, list[str]] = {}
    for key, original in originals.items():
        if num_frames[original] == num_frames[key]:
            groups.setdefault(original, []).append(key)
    return groups


def check_features(data_dir: Path, experiment: Experiment) -> None:
    """Refuse features that stage 1 computed with other options than the experiment's.

    Or of another wav.scp than is there now.
    """
    check_made(data_dir / "feats.scp")
    for name, text in (
        front_ends.options_file(experiment.features),
        ("vad.conf", voice_activity.vad_options(experiment.voice_activity)),
    ):
        path = data_dir / "conf" / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            raise ValueError(
                f"{path} is missing or differs from the experiment's options: "
                f"{Stage.FEATURES.with_this_config}"
            )


def split_section(section: Section, count: int) -> list[Section]:
    """Cut a section into `count` disjoint ones of nearly equal length, none of them empty."""
    count = max(1, min(count, section.num_frames))
    edges = [section.start + section.num_frames * i // count for i in range(count + 1)]
    return [Section(section.utterance, edges[i], edges[i + 1]) for i in range(count)]


def fit_length(frames: np.ndarray, num_frames: int) -> np.ndarray:
    """Repeat frames (frames, bins) from their beginning up to `num_frames`."""
    if len(frames) == num_frames:
        return frames
    return frames[np.arange(num_frames) % len(frames)]
