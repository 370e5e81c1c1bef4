"""The table of samplers, which draw speakers equally or by what they have to say."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from deep_speaker.config import Training
from deep_speaker.features.source import Section
from deep_speaker.training.decks import Deck
from deep_speaker.training.speaker_batches import Drawn, SpeakerBatches


class OverSampledBatches(SpeakerBatches):
    """`over`: batches as `balanced`, but utterances come once each before any comes again.

    An epoch passes once over the utterances of the speaker with the most, and repeats those of
    the others.
    """

    utterance_deck = Deck

    def batches_per_epoch(self) -> int:
        rounds = math.ceil(self.visits(max(map(len, self.utterances))))
        return math.ceil(rounds * len(self.utterances) / self.speakers_per_batch)


class UnderSampledBatches(SpeakerBatches):
    """`under`: as `over`, but an epoch is as long as the speaker with the fewest utterances lasts.

    Each epoch takes as many of everybody's, in another random choice.
    """

    utterance_deck = Deck

    def batches_per_epoch(self) -> int:
        rounds = max(1, math.floor(self.visits(min(map(len, self.utterances)))))
        return max(1, rounds * len(self.utterances) // self.speakers_per_batch)


class StratifiedBatches(SpeakerBatches):
    """`stratified`: every utterance once an epoch, so speakers in proportion to their utterances.

    The P different speakers of a batch are drawn with probabilities proportional to what is left
    of them. To fill batches of P x K, some utterances come again: where the utterances of a speaker
    are no multiple of K, and where fewer than P speakers have any left.
    """

    utterance_deck = Deck

    def __init__(self, utterances: Mapping[str, Sequence[Section]], training: Training) -> None:
        super().__init__(utterances, training)
        self.all_visits = np.array([math.ceil(self.visits(len(each))) for each in self.utterances])

    def batches_per_epoch(self) -> int:
        spread = math.ceil(self.all_visits.sum() / self.speakers_per_batch)
        return max(spread, int(self.all_visits.max()))

    def _choose_speakers(self, rng: np.random.Generator) -> Iterator[list[int]]:
        while True:
            left = self.all_visits.copy()
            for batches_left in range(self.batches_per_epoch(), 0, -1):
                chosen = self._choose_among(left, batches_left, rng)
                left[chosen] = np.maximum(left[chosen] - 1, 0)
                yield chosen

    def _choose_among(
        self, left: np.ndarray, batches_left: int, rng: np.random.Generator
    ) -> list[int]:
        """Choose P speakers, given the number of visits that each has left, shape (speakers,)."""
        # Who has a visit left for every batch left must come now, or the pass would not end.
        due = np.flatnonzero(left == batches_left)
        weights = np.where(left < batches_left, left, 0)
        missing = self.speakers_per_batch - len(due)
        count = min(missing, int(np.count_nonzero(weights)))
        chosen = due.tolist()
        if count:
            shares = weights / weights.sum()
            chosen += rng.choice(len(left), count, replace=False, p=shares).tolist()
        used_up = np.flatnonzero(left == 0)
        return chosen + rng.choice(used_up, missing - count, replace=False).tolist()


class PairBatches(SpeakerBatches):
    """`pairs`: adjacent pairs of chunks, of one speaker and of two in turn; P x K chunks.

    Speakers come each once before any comes again, also within a batch.
    """

    @property
    def batch_size(self) -> int:
        return self.training.batch_size

    def epoch(self, num_batches: int, rng: np.random.Generator) -> Iterator[Drawn]:
        decks = [self.utterance_deck(len(sections)) for sections in self.utterances]
        speakers = Deck(len(self.utterances))
        for _ in range(num_batches):
            sections: list[Section] = []
            labels: list[int] = []
            for pair in range(self.batch_size // 2):
                chosen = speakers.deal(1 + pair % 2, rng)
                for speaker in chosen:
                    num_chunks = 2 // len(chosen)
                    sections += self._draw(speaker, num_chunks, decks, rng)
                    labels += [self.numbers[speaker]] * num_chunks
            yield sections, labels


SAMPLERS: dict[str, type[SpeakerBatches]] = {
    "balanced": SpeakerBatches,
    "over": OverSampledBatches,
    "under": UnderSampledBatches,
    "stratified": StratifiedBatches,
    "pairs": PairBatches,
}


def build_sampler(
    utterances: Mapping[str, Sequence[Section]], training: Training
) -> SpeakerBatches:
    """Build the sampler of a phase, for the voiced part of every speaker's utterances."""
    return SAMPLERS[training.sampling](utterances, training)
