"""Who of the enrolled speaks, or nobody of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deep_speaker.voices.decisions import Criterion, Decision
from deep_speaker.voices.speaker_files import Speaker
from deep_speaker.voices.voice_model import VoiceModel


@dataclass(frozen=True)
class Candidate:
    """An enrolled speaker, as one who may be speaking.

    Attributes:
        score: of the model's back end.
        llr: log likelihood ratio of this speaker against somebody else, a natural logarithm; None,
            as `probability` then is: the model is not calibrated.
        probability: that it is this speaker, given that it is one of the enrolled or nobody of
            them.
    """

    name: str
    score: float
    llr: float | None = None
    probability: float | None = None


@dataclass(frozen=True)
class Identification:
    """An answer to who speaks.

    Attributes:
        candidates: the best first.
        nobody: the probability that it is nobody of them; None: the model is not calibrated.
        decision: on the best candidate: each of the candidates may be a false alarm, and the
            threshold is set accordingly. Its rates are those of a single comparison.
    """

    candidates: list[Candidate]
    nobody: float | None
    decision: Decision

    @property
    def name(self) -> str | None:
        """The one who speaks; None: nobody enrolled, or, without a decision, not known."""
        return self.candidates[0].name if self.decision.same else None

    @property
    def unknown_accepted(self) -> float | None:
        """The share of unknown voices that are taken for somebody, at most.

        As if those who are enrolled erred apart: where they err together, fewer are.
        """
        rate = self.decision.false_alarm_rate
        return None if rate is None else 1 - (1 - rate) ** len(self.candidates)


def identify(
    model: VoiceModel,
    speakers: Sequence[Speaker],
    vector: np.ndarray,
    criterion: Criterion | None = None,
) -> Identification:
    """Tell who of the enrolled a voice is.

    Args:
        vector: of the voice: unit length, shape (dim,).
        criterion: its prior is the probability, before listening, that it is one of the enrolled,
            each as likely as the other.

    Raises:
        ValueError: nobody is enrolled; or see `decisions.find_threshold`.
    """
    if not speakers:
        raise ValueError("nobody is enrolled, so nobody can be recognised: enrol somebody first")
    criterion = criterion or Criterion()
    scores = model.score([speaker.vectors for speaker in speakers], vector[None])[:, 0]
    decision = model.decide(float(scores.max()), criterion, num_candidates=len(speakers))
    table = model.scoring.decisions
    candidates = [
        Candidate(speaker.name, float(score))
        for speaker, score in zip(speakers, scores, strict=True)
    ]
    nobody = None
    if table is not None:  # else the scores are all that is known
        llrs = [table.llr(candidate.score) for candidate in candidates]
        *shares, nobody = posteriors(llrs, criterion.prior)
        candidates = [
            Candidate(candidate.name, candidate.score, llr, share)
            for candidate, llr, share in zip(candidates, llrs, shares, strict=True)
        ]
    ranked = sorted(candidates, key=lambda candidate: -candidate.score)
    return Identification(ranked, nobody, replace(decision, probability=ranked[0].probability))


def posteriors(llrs: Sequence[float], prior: float) -> list[float]:
    """Return the probability of each candidate, and last that of nobody: they sum to 1.

    Args:
        llrs: log likelihood ratios of each candidate against somebody else.
        prior: the probability, before listening, that it is one of the candidates.

    >>> [round(share, 2) for share in posteriors([0.0, np.log(3)], 0.5)]  # 1 : 3, and 2 for nobody
    [0.17, 0.5, 0.33]
    """
    logs = np.array([*llrs, 0.0])
    logs[:-1] += np.log(prior / len(llrs))
    logs[-1] += np.log(1 - prior)
    shares = np.exp(logs - logs.max())
    return [float(share) for share in shares / shares.sum()]
