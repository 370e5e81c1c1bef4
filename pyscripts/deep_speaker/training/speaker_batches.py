"""Batches of P speakers x K chunks: the speakers, utterances and frames that make them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from deep_speaker.config import Training
from deep_speaker.features.source import Section, split_section
from deep_speaker.training.decks import Deck, ShuffledDeck

Drawn = tuple[list[Section], list[int]]  # sections, and a speaker's number for every chunk


class SpeakerBatches:
    """`balanced`: batches of P speakers x K chunks, every speaker equally often.

    Speakers come in random order, each once before any comes again; a batch never holds one
    twice. K different utterances of a speaker are drawn, or, where there are fewer, disjoint
    parts of them: no two sections of a speaker in a batch overlap. A chunk of n pieces takes n
    sections, side by side, of different utterances where the speaker has n.

    Args:
        utterances: for each speaker, the voiced part of every utterance, or the pieces of it that
            chunks may lie in. Speakers of fewer than `training.min_utterances` utterances are left
            out; the others keep their numbers.

    Raises:
        ValueError: fewer than two speakers are left.
    """

    utterance_deck: type[Deck] = ShuffledDeck

    def __init__(self, utterances: Mapping[str, Sequence[Section]], training: Training) -> None:
        speakers = list(enumerate(utterances.values()))
        kept = [pair for pair in speakers if num_utterances(pair[1]) >= training.min_utterances]
        if len(kept) < 2:
            raise ValueError(
                f"{len(kept)} of {len(speakers)} speakers have {training.min_utterances} or more "
                "utterances, and at least 2 must: lower min_utterances"
            )
        self.numbers = [number for number, _ in kept]
        self.utterances = [sections for _, sections in kept]
        self.training = training
        self.speakers_per_batch = min(training.speakers_per_batch, len(self.utterances))
        # Fewer speakers than asked for: more utterances of each keep the batch size.
        self.chunks_per_speaker = max(
            training.utterances_per_speaker, training.batch_size // self.speakers_per_batch
        )
        self.section_frames = training.chunk_frames // training.pieces_per_chunk

    @property
    def batch_size(self) -> int:
        """Chunks of a batch."""
        return self.speakers_per_batch * self.chunks_per_speaker

    def batches_per_epoch(self) -> int:
        """Count the batches of one pass: the chunks of all speech, at least one per utterance."""
        chunks = sum(
            max(1, section.num_frames // self.training.chunk_frames)
            for sections in self.utterances
            for section in sections
        )
        return max(1, chunks // self.training.batch_size)

    def epoch(self, num_batches: int, rng: np.random.Generator) -> Iterator[Drawn]:
        """Yield batches: sections, and a speaker's number for every chunk.

        A chunk is `pieces_per_chunk` sections; those of a speaker lie side by side. More batches
        than `batches_per_epoch` begin another pass.
        """
        decks = [self.utterance_deck(len(sections)) for sections in self.utterances]
        for chosen in islice(self._choose_speakers(rng), num_batches):
            sections: list[Section] = []
            for speaker in chosen:
                sections += self._draw(speaker, self.chunks_per_speaker, decks, rng)
            numbers = [self.numbers[speaker] for speaker in chosen]
            yield sections, [number for number in numbers for _ in range(self.chunks_per_speaker)]

    def _choose_speakers(self, rng: np.random.Generator) -> Iterator[list[int]]:
        """Yield P different speakers for every batch."""
        speakers = Deck(len(self.utterances))
        while True:
            yield speakers.deal(self.speakers_per_batch, rng)

    def _draw(
        self, speaker: int, num_chunks: int, decks: Sequence[Deck], rng: np.random.Generator
    ) -> list[Section]:
        """Draw the sections of some chunks of a speaker; they do not overlap."""
        sections = self.utterances[speaker]
        wanted = num_chunks * self.training.pieces_per_chunk
        dealt = decks[speaker].deal(min(wanted, len(sections)), rng)
        parts = [sections[i] for i in dealt]
        if len(parts) < wanted:
            parts = self._split(parts, num_chunks)
        # The parts of an utterance lie side by side: strides bring them into different chunks. An
        # utterance of fewer frames than parts repeats; only absurd audio reaches that.
        order = [i for chunk in range(num_chunks) for i in range(chunk, wanted, num_chunks)]
        return [self._crop(parts[i % len(parts)], rng) for i in order]

    def _split(self, sections: Sequence[Section], num_chunks: int) -> list[Section]:
        """Cut utterances into as many parts as the pieces of the chunks, if they are fewer."""
        pieces = self.training.pieces_per_chunk
        wanted = num_chunks * pieces
        # A part per chunk at most, so that every chunk gets different utterances.
        most = num_chunks if len(sections) >= pieces else wanted
        counts = [1] * len(sections)
        for _ in range(wanted - len(sections)):  # to the one that it leaves the longest parts
            lengths = [
                part.num_frames / (count + 1) if count < most else 0
                for part, count in zip(sections, counts, strict=True)
            ]
            counts[lengths.index(max(lengths))] += 1
        return [
            part
            for section, count in zip(sections, counts, strict=True)
            for part in split_section(section, count)
        ]

    def _crop(self, section: Section, rng: np.random.Generator) -> Section:
        """Cut the frames of a piece out of a section, anywhere; leave a shorter section whole."""
        slack = section.num_frames - self.section_frames
        if slack <= 0:
            return section
        start = section.start + int(rng.integers(slack + 1))
        return Section(section.utterance, start, start + self.section_frames)

    def visits(self, num_utterances: int) -> float:
        """Count the batches of a speaker until this many utterances are dealt."""
        return num_utterances / (self.chunks_per_speaker * self.training.pieces_per_chunk)


def num_utterances(sections: Sequence[Section]) -> int:
    """Count the utterances that sections lie in."""
    return len({section.utterance for section in sections})
