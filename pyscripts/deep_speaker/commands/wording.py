"""Answers in words and in JSON."""

import json
from typing import Any

from deep_speaker.voices.decisions import Decision
from deep_speaker.voices.wording import percent

NOT_CALIBRATED = "this model is not calibrated (no held-out speakers)"


def print_json(content: Any) -> None:
    """Print an object as JSON, with letters as they are."""
    print(json.dumps(content, indent=1, ensure_ascii=False))


def describe_score(decision: Decision, prior: float) -> str:
    """Return a line of figures: what the score is, and what it means."""
    parts = [f"score {decision.score:.3f}"]
    if decision.threshold is not None:
        parts.append(f"threshold {decision.threshold:.3f}")
    if decision.llr is not None and decision.probability is not None:
        parts.append(f"log likelihood ratio {decision.llr:.2f}")
        parts.append(f"probability {percent(decision.probability)} (prior {100 * prior:g} %)")
    return ", ".join(parts)


def describe_rates(decision: Decision) -> str:
    """Return how often a decision errs, as measured on held-out speakers."""
    if decision.threshold is None:
        return f"Nothing is decided: {NOT_CALIBRATED}: give a score as --threshold."
    if decision.measured is None:
        return f"How often this threshold errs is not known: {NOT_CALIBRATED}."
    assert decision.false_alarm_rate is not None and decision.miss_rate is not None
    return (
        f"At this threshold, on {decision.measured['speakers']} held-out speakers: "
        f"{percent(decision.false_alarm_rate)} false alarms (two voices taken for one), "
        f"{percent(decision.miss_rate)} misses (one voice taken for two)."
    )
