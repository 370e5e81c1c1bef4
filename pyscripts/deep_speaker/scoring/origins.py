"""What scores are made of: recorded beside them, and checked before they are made."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from deep_speaker.config import Experiment
from deep_speaker.config.folders import ADAPTATION_XVECTORS, VECTORS, vectors_file
from deep_speaker.config.made import check_made, sections_of
from deep_speaker.config.phases import PHASES
from deep_speaker.embeddings.held_out import HELD_OUT_FILE
from deep_speaker.scoring.other_plda import OtherPlda
from deep_speaker.scoring.score_files import score_file
from deep_speaker.system.origins import note_origins
from deep_speaker.trials.models import MODELS


class Origin(NamedTuple):
    """What the scores of a phase are made of.

    Attributes:
        phase_dir: the folder of the phase.
        asked: PLDA to score by beside that of the config.
        xvectors: directories: first that which holds the keys of the trials, then, if it is
            another, that which the back ends are fitted on.
        data_dirs: those that were embedded there.
    """

    experiment: Experiment
    phase_dir: Path
    asked: OtherPlda
    xvectors: Sequence[Path]
    data_dirs: Sequence[Path]

    def note(self, prefix: Path, trial_list: Path, backends: Iterable[str]) -> None:
        """Record it of the scores of a list, which were made just now."""
        phase = PHASES.get(self.phase_dir.name)
        # The network too: x-vectors go with one that is replaced, and could not tell of it.
        network = [self.phase_dir.parent / phase.checkpoint] if phase and phase.checkpoint else []
        tables = [folder / name for folder in self.data_dirs for name in ("utt2spk", MODELS)]
        vectors = [folder / name for folder in self.xvectors for name in (VECTORS, HELD_OUT_FILE)]
        made_of = [path for path in (*network, *vectors, *tables, trial_list) if path.is_file()]
        settings = sections_of(self.experiment, "scoring", "seed", "held_out")
        del settings["scoring"]["backends"]  # their files tell which of them scored
        files: dict[tuple[Path, ...], list[Path]] = {}
        for name in backends:
            others = tuple(self.asked.made_of(name, self.phase_dir))
            files.setdefault(others, []).append(score_file(prefix, trial_list, name))
        for others, outputs in files.items():
            note_origins(outputs, [*made_of, *others], settings)


def check_vectors(
    experiment: Experiment,
    experiment_dir: Path,
    phases: Iterable[str],
    data_dirs: Sequence[Path],
    adapts: bool = False,
) -> None:
    """Refuse x-vectors that are not of the present networks, data and config; see `check_made`.

    Args:
        adapts: whether those of an adaptation set are taken as well.
    """
    for phase in phases:
        found = [vectors_file(experiment_dir, phase, data_dir) for data_dir in data_dirs]
        found += [experiment_dir / phase / ADAPTATION_XVECTORS / VECTORS] if adapts else []
        for path in found:
            check_made(path, experiment)
