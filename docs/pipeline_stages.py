"""What docs/pipeline.svg shows: the stages of run.sh with the tables that they read and write."""

from dataclasses import dataclass

Chips = tuple[tuple[str, str], ...]  # a table's name, and its kind


@dataclass(frozen=True)
class Stage:
    """A stage of run.sh: what it runs, reads and writes.

    Attributes:
        says: what the tables hold, in words.
        shows: lines of them.
    """

    title: str
    command: str
    reads: Chips
    writes: Chips
    says: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Stages whose tables lie in one folder."""

    title: str
    folder: str
    stages: tuple[Stage, ...]


FEATURES = (("feats.scp", "features"), ("vad.scp", "features"))
GROUPS = (
    Group(
        "Data",
        "data/<name>/",
        (
            Stage(
                "Prepare the corpus",
                "local/prepare_<corpus>.py",
                (("recordings", "audio"),),
                (("wav.scp", "data"), ("utt2spk", "data"), ("trials", "trials")),
                shows=(
                    "anna-monday-3 flac -c -d -s /…/anna/monday/3.flac |",
                    "anna-monday-3 boris-friday-7 nontarget",
                ),
            ),
            Stage(
                "Compute features",
                "pyscripts/compute_features.py",
                (("wav.scp", "data"),),
                (*FEATURES, ("utt_cmvn.scp", "features")),
                ("64 log-mel bins, 25 ms every 10 ms; voiced or not, per frame",),
                ("anna-monday-3 /…/fbank/feats.1.ark:14",),
            ),
        ),
    ),
    Group(
        "Training",
        "exp/<name>/<experiment>/",
        (
            Stage(
                "Pre-train",
                "pyscripts/train_network.py",
                FEATURES,
                (("pretraining/best.pt", "network"),),
                (
                    "Softmax over the training speakers, by chunks of 160 voiced frames,",
                    "from which the mean of the utterance is taken",
                ),
            ),
            Stage(
                "Fine-tune",
                "pyscripts/train_network.py",
                (*FEATURES, ("pretraining/best.pt", "network")),
                (("finetuning/best.pt", "network"),),
                (
                    "Cosine triplets in batches of 32 speakers x 4 chunks:",
                    "semi-hard negatives first, then hard ones",
                ),
            ),
        ),
    ),
    Group(
        "Verification",
        "exp/<name>/<experiment>/",
        (
            Stage(
                "Extract embeddings",
                "pyscripts/extract_embeddings.py",
                (*FEATURES, ("finetuning/best.pt", "network")),
                (("xvector.scp", "vectors"), ("spk_xvector.scp", "vectors")),
                ("One vector of length 1 for a whole utterance",),
                ("anna-monday-3 [ 0.031 -0.084 … 0.057 ]",),
            ),
            Stage(
                "Score the trials",
                "pyscripts/score_trials.py",
                (("trials", "trials"), ("xvector.scp", "vectors")),
                (("scores/finetuning.trials.cosine", "scores"),),
                ("By cosine, LDA, PLDA and adaptive s-norm",),
                ("anna-monday-3 boris-friday-7 0.0312456",),
            ),
            Stage(
                "Compute error rates",
                "compute_metrics.py, write_report.py",
                (("trials", "trials"), ("scores", "scores")),
                (("results.json", "results"), ("report.html", "results")),
                (
                    "EER, minDCF, actDCF, Cllr and accuracy, each with its",
                    "95 % interval, beside floors without a trained network",
                ),
            ),
        ),
    ),
)
