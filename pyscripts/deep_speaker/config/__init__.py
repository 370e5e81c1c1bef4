"""Experiment files: every hyper-parameter, typed; the phases and stages of an experiment.

Takes YAML files with a base, overrides and settings of single keys; gives an `Experiment`, and one
line per mistake. Start with `experiment` (the sections), then `reading`; `phases`, `stages` and
`folders` each name in one place what the recipe knows of them.
"""

from deep_speaker.config.copies import AugmentedCopies
from deep_speaker.config.experiment import Experiment, Extraction
from deep_speaker.config.features import AnyVoiceActivity, Normalisation, Trimming, VoiceActivity
from deep_speaker.config.front_ends import (
    Features,
    KaldiFilterbank,
    PythonSpeechFeatures,
    SpeechBrainFilterbank,
    TorchaudioSpectrogram,
)
from deep_speaker.config.losses import (
    CLASSIFICATION_LOSSES,
    GE2E,
    AAMSoftmax,
    AMSoftmax,
    AngularPrototypical,
    Contrastive,
    Distillation,
    LearnedScale,
    Loss,
    LosslessTriplet,
    MarginSoftmax,
    Mined,
    Prototypical,
    Softmax,
    SoftmaxPrototypical,
    Triplet,
)
from deep_speaker.config.networks import Network, Pooling
from deep_speaker.config.reading import read_experiment, write_experiment
from deep_speaker.config.scoring import AS_NORM, BACKENDS, Backend, Scoring
from deep_speaker.config.training import (
    AnySchedule,
    Augmentation,
    Fall,
    HeldOut,
    Optimiser,
    Plateau,
    Step,
    TeacherTraining,
    Training,
)

__all__ = [
    "AS_NORM", "BACKENDS", "CLASSIFICATION_LOSSES", "GE2E", "AAMSoftmax", "AMSoftmax",
    "AngularPrototypical", "AnySchedule", "AnyVoiceActivity", "Augmentation", "AugmentedCopies",
    "Backend", "Contrastive", "Distillation", "Experiment", "Extraction", "Fall", "Features",
    "HeldOut", "KaldiFilterbank", "LearnedScale", "Loss", "LosslessTriplet", "MarginSoftmax",
    "Mined", "Network", "Normalisation", "Optimiser", "Plateau", "Pooling", "Prototypical",
    "PythonSpeechFeatures", "Scoring", "Softmax", "SoftmaxPrototypical", "SpeechBrainFilterbank",
    "Step", "TeacherTraining", "TorchaudioSpectrogram", "Training", "Trimming", "Triplet",
    "VoiceActivity", "read_experiment", "write_experiment",
]  # fmt: skip
