"""Places in the folder of an experiment, E = exp/<corpus>/<experiment>.

E/resolved.yaml       the experiment as it is asked for now, whole
E/config.yaml         that by which its networks were trained
E/<phase>/            checkpoints, logs; xvectors_<set>/ of data/<corpus>/<set>
E/<phase>/plda/       the fitted PLDA in Kaldi's files; adapted_plda/ likewise
E/scores/             <phase>.<trial list>.<back end>
E/results.json, E/results.txt, E/report.html
E/log/                <stage>.<command>.log
"""

from pathlib import Path

CONFIG = "config.yaml"
RESOLVED = "resolved.yaml"
SCORES = "scores"
RESULTS = "results.json"
TABLES = "results.txt"
REPORT = "report.html"
VECTORS = "xvector.ark"  # of an x-vector directory; what is made of x-vectors is made of this file
ADAPTATION_XVECTORS = "xvectors_adaptation"  # of a phase, by the data directory to adapt to


def xvector_dir(experiment_dir: Path, phase: str, data_dir: Path) -> Path:
    """Return where the x-vectors of a data directory by a phase lie.

    >>> xvector_dir(Path("exp/mine/small"), "finetuning", Path("data/mine/test")).as_posix()
    'exp/mine/small/finetuning/xvectors_test'
    """
    return experiment_dir / phase / f"xvectors_{data_dir.name}"


def vectors_file(experiment_dir: Path, phase: str, data_dir: Path) -> Path:
    """Return the archive of the x-vectors of a data directory by a phase."""
    return xvector_dir(experiment_dir, phase, data_dir) / VECTORS


def score_prefix(experiment_dir: Path, phase: str) -> Path:
    """Return how the paths of a phase's score files begin."""
    return experiment_dir / SCORES / phase


def data_dir_of(experiment_dir: Path) -> Path:
    """Return data/<corpus> of exp/<corpus>/<experiment>.

    >>> data_dir_of(Path("/recipe/exp/mine/small")).as_posix()
    '/recipe/data/mine'
    """
    resolved = experiment_dir.resolve()
    return resolved.parents[2] / "data" / resolved.parent.name
