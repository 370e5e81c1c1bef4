"""The phases of an experiment: the entry of one in `PHASES` holds all that the recipe knows of it.

A phase is a row of the results and a folder of the experiment, E/<name>, with its checkpoints and
x-vectors. Floors are phases in which nothing is learnt; every trained one is measured against them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from deep_speaker.config.experiment import Experiment
from deep_speaker.config.losses import MarginSoftmax
from deep_speaker.config.stages import Stage
from deep_speaker.config.training import Training


@dataclass(frozen=True)
class Phase:
    """A phase: how it is made, and how it looks.

    Attributes:
        stage: that makes it.
        colour, line: of its curves, as matplotlib names them.
        is_floor: whether nothing is learnt in it.
        keeps_mean: of channel statistics, whether the mean is among them; None of networks.
        checkpoint: by which stage 4 embeds, below the experiment's folder; None of statistics.
        options: of its training; None where the experiment does not train it.
        starts_from: the phases whose weights it may go on with: the first of them that is trained,
            else random ones.
        paced_by: the phase whose steps it takes; None: its own.
    """

    name: str
    stage: Stage
    colour: str
    line: str
    is_floor: bool = False
    keeps_mean: bool | None = None
    checkpoint: str | None = None
    options: Callable[[Experiment], Training | None] | None = None
    starts_from: tuple[str, ...] = ()
    paced_by: str | None = None

    @property
    def is_control(self) -> bool:
        """Tell whether another phase, which paces it, has to beat it."""
        return self.paced_by is not None


def _continue_pretraining(experiment: Experiment) -> Training | None:
    """Return the loss and batches of pre-training, with the steps and rates of fine-tuning."""
    finetuning, pretraining = experiment.finetuning, experiment.pretraining
    if finetuning is None or pretraining is None:
        return None
    keys = ("epochs", "steps_per_epoch", "patience", "average_epochs", "schedule", "optimiser")
    changes = {key: getattr(finetuning, key) for key in keys}
    if isinstance(pretraining.loss, MarginSoftmax):  # the margin has risen before
        changes["loss"] = pretraining.loss.model_copy(update={"margin_from": 0, "margin_to": 0})
    return pretraining.model_copy(update=changes)


# In the order of tables. Colours are Okabe and Ito's, which the colour-blind tell apart; floors
# are grey.
_ALL = (
    Phase("statistics", Stage.EMBEDDINGS, "#4d4d4d", "--", is_floor=True, keeps_mean=True),
    Phase("statistics_no_mean", Stage.EMBEDDINGS, "#8c8c8c", ":", is_floor=True, keeps_mean=False),
    Phase(
        "untrained", Stage.PRETRAINING, "#b59a6d", "-.",
        is_floor=True,
    ),
    Phase(
        "initial_model", Stage.PRETRAINING, "#8a5fb0", "-", checkpoint="initial_model/best.pt"
    ),
    Phase(
        "distillation", Stage.PRETRAINING, "#cc79a7", "-",
        checkpoint="distillation/best.pt",
        options=lambda experiment: experiment.distillation,
    ),
    Phase(
        "pretraining", Stage.PRETRAINING, "#0072b2", "-",
        checkpoint="pretraining/best.pt",
        options=lambda experiment: experiment.pretraining,
        starts_from=("distillation",),
    ),
    Phase(
        "finetuning", Stage.FINETUNING, "#d0480c", "-",
        checkpoint="finetuning/best.pt",
        options=lambda experiment: experiment.finetuning,
        starts_from=("pretraining", "distillation"),
    ),
    Phase(
        "pretraining_continued", Stage.FINETUNING, "#009e73", "--",
        checkpoint="pretraining_continued/best.pt",
        options=_continue_pretraining,
        starts_from=("pretraining",),
        paced_by="finetuning",
    ),
)  # fmt: skip
PHASES = {phase.name: phase for phase in _ALL}
# Those that are trained; the random numbers of one follow from its place here: add at the end.
TRAINED = ("pretraining", "finetuning", "pretraining_continued", "distillation")
FLOORS = tuple(phase.name for phase in _ALL if phase.is_floor)
# Those of the floors that are fitted on training speakers.
FITTED_FLOORS = tuple(phase.name for phase in _ALL if phase.keeps_mean is not None)
# What an experiment is for: the first of these that it has.
FINAL = ("finetuning", "pretraining", "distillation", "initial_model")


def trained_phases(experiment: Experiment) -> tuple[str, ...]:
    """Return the phases that an experiment trains, in order."""
    return tuple(name for name in PHASES if _options(experiment, name))


def start_of(phase: str, trained: Sequence[str]) -> str | None:
    """Return the one of the trained phases whose weights a phase goes on with; None: there is none.

    Nor is there one of a name that is not known: it is of a system.

    >>> start_of("finetuning", ["distillation", "finetuning"])
    'distillation'
    """
    before = PHASES[phase].starts_from if phase in PHASES else ()
    return next((name for name in before if name in trained), None)


def phase_options(experiment: Experiment, phase: str) -> Training:
    """Return the training options of a phase.

    Raises:
        ValueError: the experiment does not train it.
    """
    options = _options(experiment, phase)
    if options is None:
        names = ", ".join(trained_phases(experiment))
        raise ValueError(f"the experiment has no phase {phase!r}, it trains {names}")
    return options


def _options(experiment: Experiment, phase: str) -> Training | None:
    known = PHASES.get(phase)
    return known.options(experiment) if known and known.options else None


def is_floor(phase: str) -> bool:
    """Tell whether nothing is learnt in a phase; a name that is not known is of a system."""
    return phase in FLOORS


def final_phase(phases: Sequence[str]) -> str:
    """Return the phase that an experiment is for: the first of `FINAL` that is there.

    >>> final_phase(["statistics", "untrained", "pretraining", "pretraining_continued"])
    'pretraining'
    """
    return next((phase for phase in FINAL if phase in phases), phases[-1])


def all_phases(trained: Iterable[str], imported: bool, fitted: bool = True) -> list[str]:
    """Return the rows of an experiment: floors first, then what is imported and trained.

    Weights that are imported take the place of random ones. Without training speakers nothing is
    `fitted`: floors of statistics are left out.

    >>> all_phases(["pretraining"], imported=True)
    ['statistics', 'statistics_no_mean', 'initial_model', 'pretraining']
    >>> all_phases([], imported=True, fitted=False)
    ['initial_model']
    """
    left_out = {"untrained" if imported else "initial_model"}
    wanted = {*FLOORS, "initial_model", *trained} - left_out - set(() if fitted else FITTED_FLOORS)
    return [name for name in PHASES if name in wanted]
