"""The stages of run.sh, and how a message asks for one: the only place that numbers them."""

from enum import IntEnum
from pathlib import Path


class Stage(IntEnum):
    """A stage by its number."""

    PREPARATION = 0
    FEATURES = 1
    PRETRAINING = 2
    FINETUNING = 3
    EMBEDDINGS = 4
    SCORES = 5
    RESULTS = 6

    @property
    def makes(self) -> str:
        """Tell in a few words what it makes."""
        return MAKES[self]

    @property
    def again(self) -> str:
        """Ask for it once more.

        >>> Stage.EMBEDDINGS.again
        'run stage 4 anew'
        """
        return f"run stage {self.value} anew"

    @property
    def with_this_config(self) -> str:
        """Ask for it with the config at hand."""
        return f"run stage {self.value} with this config ({self._option})"

    def missing(self, path: Path) -> str:
        """Say that an input is missing which this stage makes."""
        return f"{path} is missing: run stage {self.value} first ({self._option})"

    @property
    def _option(self) -> str:
        return f"the same command with --stage {self.value}"


MAKES = {
    Stage.PREPARATION: "corpus, trials",
    Stage.FEATURES: "features",
    Stage.PRETRAINING: "pre-training",
    Stage.FINETUNING: "fine-tuning, control",
    Stage.EMBEDDINGS: "embeddings",
    Stage.SCORES: "scores",
    Stage.RESULTS: "results, report",
}


def stages_again(first: Stage, last: Stage) -> str:
    """Ask for several stages once more.

    >>> stages_again(Stage.SCORES, Stage.RESULTS)
    'run stages 5 to 6 anew'
    """
    return f"run stages {first.value} to {last.value} anew"


# By the name of a table, the stage that makes it; any other is stage 0's.
FEATURE_TABLES = ("feats.scp", "vad.scp", "utt_cmvn.scp", "utt2num_frames")
XVECTOR_TABLES = ("xvector.scp", "spk_xvector.scp", "xvector_crops.scp", "num_utts.ark")
MAKERS = dict.fromkeys(FEATURE_TABLES, Stage.FEATURES) | dict.fromkeys(
    XVECTOR_TABLES, Stage.EMBEDDINGS
)


def missing_table(path: Path) -> str:
    """Say that a table is missing, and which stage makes it."""
    return MAKERS.get(path.name, Stage.PREPARATION).missing(path)
