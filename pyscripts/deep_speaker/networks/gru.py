"""GRU, the recurrent network of Deep Speaker (Li et al. 2017, section 3.2 and table 2)."""

from torch import Tensor, nn

from deep_speaker.config.networks import GRU
from deep_speaker.networks.layers import ClippedReLU, FlattenBins, TimeConv2d, TimeSequential
from deep_speaker.networks.speaker_network import SpeakerNetwork


class ForwardGRU(nn.GRU):
    """GRU layers over features (batch, dim, frames), from the first frame to the last.

    No frame depends on later ones, so padding after an utterance leaves its frames as they are.
    Under autocast, products with the weights are in bfloat16.
    """

    def forward(self, features: Tensor) -> Tensor:  # type: ignore[override]
        # Laid out otherwise, the product with the weights would copy them for every frame.
        frames = features.permute(2, 0, 1).contiguous()
        return super().forward(frames)[0].permute(1, 2, 0)


def gru(options: GRU, num_bins: int, normalise_input: bool) -> SpeakerNetwork:
    """Build a strided convolution, GRU layers, mean over time, and an affine layer.

    With 64 bins and the paper's sizes: convolution 5x5 to 64 channels, without bias (1,600); GRU
    layers from 64 x 32 to 1024 (9,443,328) and from 1024 to 1024 (6,297,600 each); affine
    (524,800). That makes 22.56 million, which leaves none for the batch normalisation.
    """
    front = TimeSequential(
        TimeConv2d(1, options.channels, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(options.channels, affine=False),
        ClippedReLU(),
    )
    inputs = options.channels * front.output_bins(num_bins)
    layers = ForwardGRU(inputs, options.hidden_dim, options.layers)
    return SpeakerNetwork(
        TimeSequential(*front, FlattenBins(), layers),
        options.hidden_dim,
        options.pooling,
        options.embedding_dim,
        num_bins,
        normalise_input,
    )
