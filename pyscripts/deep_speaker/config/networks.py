"""Options of the networks; the defaults are the published sizes."""

from typing import Annotated, Literal

from pydantic import Field

from deep_speaker.config.section import ConfigSection, Count

Pooling = Literal[
    "average",
    "maximum",
    "self_attentive",
    "attentive_statistics",
    "context_attentive_statistics",
    "statistics",
]


class ResCNN(ConfigSection):
    """Deep Speaker's ResCNN (Li et al. 2017, table 1).

    The variant `keras` is that of Philippe Rémy's implementation, whose weights are published.
    """

    name: Literal["rescnn"]
    variant: Literal["paper", "keras"] = "paper"
    channels: tuple[Count, ...] = Field(default=(64, 128, 256, 512), min_length=1)
    blocks_per_stage: Count = 3
    pooling: Pooling = "average"
    embedding_dim: Count = 512


class GRU(ConfigSection):
    """Deep Speaker's GRU (Li et al. 2017, table 2)."""

    name: Literal["gru"]
    channels: Count = 64
    layers: Count = 3
    hidden_dim: Count = 1024
    pooling: Pooling = "average"
    embedding_dim: Count = 512


class ResNetSE(ConfigSection):
    """Residual networks with squeeze and excitation (Chung et al. 2020)."""

    channels: tuple[Count, Count, Count, Count] = (16, 32, 64, 128)
    blocks: tuple[Count, Count, Count, Count] = (3, 4, 6, 3)
    pooling: Pooling = "self_attentive"
    embedding_dim: Count = 512


class ResNetSE34(ResNetSE):
    """Thin ResNet-34."""

    name: Literal["resnetse34"]


class ResNetSE34L(ResNetSE):
    """Fast ResNet-34."""

    name: Literal["resnetse34l"]


class VGGVox40(ConfigSection):
    """VGG-M for 40 mel bins (Chung et al. 2020)."""

    name: Literal["vggvox40"]
    pooling: Pooling = "self_attentive"
    embedding_dim: Count = 512


class TDNN(ConfigSection):
    """Kaldi's x-vector network (Snyder et al. 2018)."""

    name: Literal["tdnn"]
    channels: Count = 512
    pooled_channels: Count = 1500
    pooling: Pooling = "statistics"
    embedding_dim: Count = 512


class ECAPATDNN(ConfigSection):
    """ECAPA-TDNN (Desplanques et al. 2020) in SpeechBrain's size; the paper pools 1536 channels."""

    name: Literal["ecapa_tdnn"]
    channels: Annotated[int, Field(ge=8, multiple_of=8, strict=True)] = 1024
    pooled_channels: Count = 3072
    pooling: Pooling = "context_attentive_statistics"
    embedding_dim: Count = 192


BaseNetwork = ResCNN | GRU | ResNetSE34 | ResNetSE34L | VGGVox40 | TDNN | ECAPATDNN


class WindowAverage(ConfigSection):
    """The mean of a base network's embeddings over sliding windows."""

    name: Literal["window_average"]
    window_frames: Count = 160
    shift_frames: Count = 80
    base: Annotated[BaseNetwork, Field(discriminator="name")]

    @property
    def embedding_dim(self) -> int:
        return self.base.embedding_dim


Network = Annotated[BaseNetwork | WindowAverage, Field(discriminator="name")]
