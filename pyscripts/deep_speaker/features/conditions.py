"""The recording conditions of a training set, to tell recordings that are unlike all of it."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_speaker.features.normalisation import cmvn_mean_and_deviation
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.system.files import read_utf8, replacing_file
from deep_speaker.system.json_text import are_numbers, parse_json

CONDITIONS = "conditions.json"  # a file of a model folder
SMALLEST_DEVIATION = 1e-3


class Conditions(NamedTuple):
    """How the mean frames of a training set's utterances lie.

    An utterance's mean frame holds its level and its channel, and little of what is said.

    Attributes:
        mean, deviation: of the utterances' mean frames, shape (bins,).
        farthest: the distance of the farthest training utterance, see `distance`.
    """

    mean: list[float]
    deviation: list[float]
    farthest: float

    def distance(self, mean_frame: np.ndarray) -> float:
        """Return how far a mean frame (bins,) lies: deviations, the root mean square of the bins'.

        >>> Conditions([0.0, 0.0], [1.0, 2.0], 3.0).distance(np.array([1.0, 2.0]))
        1.0
        """
        return float(np.sqrt(np.mean(((mean_frame - self.mean) / np.array(self.deviation)) ** 2)))


def measure_conditions(data_dir: Path) -> Conditions:
    """Measure the conditions of a data directory with features, by its utt_cmvn.scp."""
    table = ArchiveTable(data_dir / "utt_cmvn.scp")
    means = np.stack([cmvn_mean_and_deviation(table.rows(key))[0] for key in table])
    mean = means.mean(axis=0, dtype=np.float64)
    deviation = np.maximum(means.std(axis=0, dtype=np.float64), SMALLEST_DEVIATION)
    measured = Conditions(
        [round(float(each), 4) for each in mean], [round(float(each), 4) for each in deviation], 0
    )
    return measured._replace(farthest=round(max(map(measured.distance, means)), 4))


def write_conditions(folder: Path, conditions: Conditions) -> None:
    """Write conditions into a model folder."""
    with replacing_file(folder / CONDITIONS) as file:
        json.dump(conditions._asdict(), file)
        file.write("\n")


def read_conditions(folder: Path) -> Conditions | None:
    """Read the conditions in a model folder; None where it has none.

    Raises:
        ValueError: the file is damaged.
    """
    path = folder / CONDITIONS
    if not path.is_file():
        return None
    try:
        found = Conditions(**parse_json(read_utf8(path)))
        count = len(found.mean)
        parts = (found.mean, count), (found.deviation, count), ([found.farthest], 1)
        if not count or not all(are_numbers(values, size) for values, size in parts):
            raise ValueError("expected a mean and a deviation for each bin, and the farthest")
        return found
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path}: damaged ({error}): write the folder anew by pyscripts/write_model.py, or "
            "fetch it anew"
        ) from error
