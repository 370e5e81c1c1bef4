"""A long trial list scored by the workers of a cluster: parts of its lines, joined in order."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from pathlib import Path

from deep_speaker.clusters.options import Cluster
from deep_speaker.clusters.pickles import read_pickle, write_pickle
from deep_speaker.scoring.key_vectors import KeyVectors
from deep_speaker.scoring.score_files import score_file
from deep_speaker.scoring.vector_backend import Scorer
from deep_speaker.system.files import replacing_file, replacing_files
from deep_speaker.system.partials import new_partial

LINES = 250_000  # of a part; what is no longer takes less time here than on its way to a worker
# From a list, its keys, scorers by back end, and the prefix of its score files, to the number of
# trials that test what they enrol: `list_scoring.score_list`.
ListScorer = Callable[[Path, KeyVectors, Mapping[str, Scorer], Path], int]


@dataclass(frozen=True)
class Part:
    """Lines of a trial list: the number of the part and of its first line, and its bytes."""

    number: int
    first_line: int
    start: int
    stop: int


def is_long(trial_list: Path) -> bool:
    """Tell whether a list has lines for several parts."""
    return len(list(islice(cut_lines(trial_list), 2))) > 1


def cut_lines(trial_list: Path) -> Iterator[Part]:
    """Yield the parts of a list, of `LINES` lines each."""
    start = 0
    with trial_list.open("rb") as file:
        for number in count():
            if not sum(1 for _ in islice(file, LINES)):
                return
            yield Part(number, number * LINES + 1, start, file.tell())
            start = file.tell()


def score_in_parts(
    score_list: ListScorer, trial_list: Path, keys: KeyVectors, scorers: Mapping[str, Scorer],
    prefix: Path, cluster: Cluster,
) -> int:  # fmt: skip
    """Do as `score_list` does, each part of the list on a worker."""
    paths = [score_file(prefix, trial_list, name) for name in scorers]
    with new_partial(prefix.with_name(f"{trial_list.name}.parts"), folder=True) as folder:
        write_pickle(folder / "scorers", (keys, scorers))
        work = PartScorer(score_list, trial_list.absolute(), folder.absolute(), prefix.name)
        parts, num_own = list(cut_lines(trial_list)), 0
        with replacing_files(*paths, mode="wb") as files:
            for part, own in zip(parts, cluster.map(work, parts), strict=True):
                num_own += own
                for file, path in zip(files, paths, strict=True):
                    with (work.folder_of(part) / path.name).open("rb") as scores:
                        shutil.copyfileobj(scores, file)
    return num_own


@dataclass(frozen=True)
class PartScorer:
    """Scores parts of a list in a worker; small, as it travels there with every part.

    Attributes:
        folder: holds the scorers, and gets a folder for each part.
        prefix: the name of the phase.
    """

    score_list: ListScorer
    trial_list: Path
    folder: Path
    prefix: str

    def folder_of(self, part: Part) -> Path:
        """Return the folder of the scores of a part."""
        return self.folder / f"{part.number}"

    def __call__(self, part: Part) -> int:
        """Write the scores of a part, and return how many of its trials test what they enrol."""
        keys, scorers = open_scorers(self.folder)
        lines = self.folder_of(part) / self.trial_list.name
        lines.parent.mkdir(exist_ok=True)
        with self.trial_list.open("rb") as file, replacing_file(lines, "wb") as own:
            file.seek(part.start)
            own.write(file.read(part.stop - part.start))
        try:
            return self.score_list(lines, keys, scorers, lines.with_name(self.prefix))
        except ValueError as error:
            found = rf"{re.escape(str(lines))}, line (\d+)"
            line = part.first_line - 1
            told = re.sub(
                found, lambda m: f"{self.trial_list}, line {int(m[1]) + line}", str(error)
            )
            raise ValueError(told) from error


@lru_cache(maxsize=1)
def open_scorers(folder: Path) -> tuple[KeyVectors, Mapping[str, Scorer]]:
    """Read the scorers; they are kept from one part to the next."""
    return read_pickle(folder / "scorers")
