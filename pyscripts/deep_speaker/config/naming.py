"""The name of an experiment's folder, of its config, overrides, settings and weights."""

import re
from collections.abc import Sequence
from pathlib import Path

from deep_speaker.config.folders import CONFIG
from deep_speaker.config.phases import PHASES
from deep_speaker.system.names import file_name


def name_experiment(
    config: Path, overrides: Sequence[Path], settings: Sequence[str], initial_model: str
) -> str:
    """Return <config>.<override>...<setting>...<weights>.

    A model folder, or a checkpoint of an experiment, gives its name to its own config, too.
    """
    weights, beside = name_weights(initial_model)
    own_config = beside is not None and config.resolve() == beside.resolve()
    parts = [weights if own_config else config.stem]
    parts += [path.stem for path in overrides] + [safe_name(text) for text in settings]
    parts += [weights] if weights and not own_config else []
    return file_name(".".join(parts))


def name_weights(initial_model: str) -> tuple[str, Path | None]:
    """Return a name for weights, if there are any, and the config beside them, if there is one.

    Those of exp/<name>/<experiment>/<phase>/best.pt are named <experiment>.<phase>.
    """
    model = Path(initial_model)
    if not initial_model:
        return "", None
    if model.is_dir():
        return model.resolve().name, model / CONFIG
    phase, experiment_dir = model.parent.name, model.resolve().parents[1]
    config = experiment_dir / CONFIG
    if phase not in PHASES or not config.is_file():
        return model.stem, None
    epoch = [] if model.stem == "best" else [model.stem]
    return ".".join([experiment_dir.name, phase, *epoch]), config


def safe_name(setting: str) -> str:
    """Map a setting to a name for a folder, fit for Kaldi's specifiers too.

    >>> safe_name("pretraining.loss={name: softmax, scale: 20}")
    'pretraining.loss=name_softmax,_scale_20'
    """
    key, _, value = setting.partition("=")
    words = [re.sub(r"[^\w.,+-]+", "_", text.strip()).strip("_") for text in (key, value)]
    return "=".join(words)
