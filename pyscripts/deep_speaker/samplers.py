"""Which speakers, utterances and frames make a batch."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from deep_speaker.dataset import Section, split_section


class SpeakerBatches:
    """Batches of P speakers x K sections, every speaker equally often.

    Speakers come in random order, each once before any comes again; a batch never holds one
    twice. K different utterances of a speaker are drawn, or, where there are fewer, disjoint
    parts of them: no two sections of a batch overlap.

    Args:
        utterances: for each speaker, the voiced part of every utterance.
        chunk_frames: length of a section; shorter where the utterance is.
    """

    def __init__(
        self,
        utterances: Mapping[str, Sequence[Section]],
        speakers_per_batch: int,
        utterances_per_speaker: int,
        chunk_frames: int,
    ) -> None:
        self.utterances = list(utterances.values())
        self.speakers_per_batch = min(speakers_per_batch, len(self.utterances))
        # Fewer speakers than asked for: more utterances of each keep the batch size.
        batch_size = speakers_per_batch * utterances_per_speaker
        self.utterances_per_speaker = max(
            utterances_per_speaker, batch_size // self.speakers_per_batch
        )
        self.chunk_frames = chunk_frames

    def count_chunks(self, chunk_frames: int) -> int:
        """How many chunks of some length the speech holds; at least one per utterance."""
        return sum(
            max(1, section.num_frames // chunk_frames)
            for sections in self.utterances
            for section in sections
        )

    def epoch(
        self, num_batches: int, rng: np.random.Generator
    ) -> Iterator[tuple[list[Section], list[int]]]:
        """Yield sections and their speakers' numbers, the sections of a speaker side by side."""
        queue: list[int] = []
        for _ in range(num_batches):
            chosen = queue[: self.speakers_per_batch]
            queue = queue[self.speakers_per_batch :]
            if len(chosen) < self.speakers_per_batch:  # deal anew, leaving out who is in the batch
                order = rng.permutation(len(self.utterances)).tolist()
                rest = [speaker for speaker in order if speaker not in set(chosen)]
                missing = self.speakers_per_batch - len(chosen)
                queue = rest[missing:] + chosen
                chosen = chosen + rest[:missing]
            sections = [part for speaker in chosen for part in self._draw(speaker, rng)]
            labels = [speaker for speaker in chosen for _ in range(self.utterances_per_speaker)]
            yield sections, labels

    def _draw(self, speaker: int, rng: np.random.Generator) -> list[Section]:
        """K sections of a speaker that do not overlap."""
        sections = self.utterances[speaker]
        order = [sections[i] for i in rng.permutation(len(sections))]
        wanted = self.utterances_per_speaker
        if len(order) >= wanted:
            return [self._crop(section, rng) for section in order[:wanted]]
        counts = [1] * len(order)
        for _ in range(wanted - len(order)):  # one part more for whom it leaves the longest parts
            lengths = [part.num_frames / (n + 1) for part, n in zip(order, counts, strict=True)]
            counts[lengths.index(max(lengths))] += 1
        parts = [
            part
            for section, count in zip(order, counts, strict=True)
            for part in split_section(section, count)
        ]
        # An utterance of fewer frames than parts: repeat, which only absurd audio reaches.
        parts = [parts[i % len(parts)] for i in range(wanted)]
        return [self._crop(part, rng) for part in parts]

    def _crop(self, section: Section, rng: np.random.Generator) -> Section:
        slack = section.num_frames - self.chunk_frames
        if slack <= 0:
            return section
        start = section.start + int(rng.integers(slack + 1))
        return Section(section.utterance, start, start + self.chunk_frames)
