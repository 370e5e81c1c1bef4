"""Decks of numbers, dealt each once before any comes again."""

import numpy as np


class Deck:
    """Deals the numbers 0 to size - 1 in random order, each once before any comes again."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.left: list[int] = []

    def deal(self, count: int, rng: np.random.Generator) -> list[int]:
        """Deal `count` different numbers, at most `size`."""
        dealt, self.left = self.left[:count], self.left[count:]
        if len(dealt) < count:  # shuffle anew, without those in the hand
            rest = rng.permutation(self.size).tolist()
            if dealt:
                in_hand = set(dealt)
                rest = [n for n in rest if n not in in_hand]
            missing = count - len(dealt)
            self.left = rest[missing:] + dealt
            dealt = dealt + rest[:missing]
        return dealt


class ShuffledDeck(Deck):
    """Deals from all of its numbers every time."""

    def deal(self, count: int, rng: np.random.Generator) -> list[int]:
        self.left = []
        return super().deal(count, rng)
