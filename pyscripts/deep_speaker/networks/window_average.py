"""The mean of a network's embeddings over sliding windows (Wan et al. 2018, GE2E, section 3.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from deep_speaker.networks.speaker_network import EmbeddingNetwork, check_input


class WindowAverageNetwork(EmbeddingNetwork):
    """Embeds windows by a base network, also in training, and averages them.

    Windows of `window_frames` begin every `shift_frames`; an incomplete last one is left out. Where
    the base network normalises its input, it does so window by window.
    """

    def __init__(self, base: EmbeddingNetwork, window_frames: int, shift_frames: int) -> None:
        super().__init__()
        if window_frames < base.fewest_frames:
            raise ValueError(
                f"window_frames {window_frames}: the base network takes {base.fewest_frames} "
                "or more"
            )
        self.base = base
        self.num_bins = base.num_bins
        self.embedding_dim = base.embedding_dim
        self.fewest_frames = window_frames
        self.shift_frames = shift_frames

    def forward(self, fbanks: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map filterbanks (batch, frames, bins) to means of unit vectors (batch, embedding_dim).

        Args:
            fbanks: at least `window_frames` frames.
            lengths: shape (batch,), the frames of each utterance in a padded batch; None: all.

        Raises:
            ValueError: another number of bins, or fewer frames than a window.
        """
        check_input(fbanks, lengths, self.num_bins, self.fewest_frames)
        # (batch, windows, window_frames, bins)
        within = torch.arange(self.fewest_frames, device=fbanks.device)
        starts = torch.arange(
            0, fbanks.shape[1] - self.fewest_frames + 1, self.shift_frames, device=fbanks.device
        )
        windows = fbanks[:, starts[:, None] + within]
        batch, most = windows.shape[:2]
        if lengths is None:
            embeddings = F.normalize(self.base(windows.flatten(0, 1)), dim=1)
            return embeddings.unflatten(0, (batch, most)).mean(dim=1)
        counts = (lengths - self.fewest_frames) // self.shift_frames + 1
        valid = torch.arange(most, device=counts.device) < counts[:, None]
        embeddings = F.normalize(self.base(windows[valid]), dim=1)
        sums = embeddings.new_zeros(batch, embeddings.shape[1])
        sums = sums.index_add(0, valid.nonzero()[:, 0], embeddings)
        return sums / counts[:, None]
