"""A small ECAPA-TDNN out of a large one, from the input to the pooled vector, layer by layer.

Every layer begins as the large one's between the channels that are kept. What its outputs then
lack, on the same speech, is made good by ridge regression on what the small network itself gives
it: so it mends the errors of the layers before, too. See `slimming` for both.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from deep_speaker.networks.ecapa_tdnn import SCALE
from deep_speaker.networks.slimming import (
    Moments,
    choose_channels,
    correct,
    take_channels,
    take_part,
)

AT_ONCE = 16  # chunks
# Strengths of the ridge, where rows are frames, chunks, or frames with what a chunk's have alike.
OF_FRAMES, OF_CHUNKS, OF_BOTH = 1e-4, 1e-2, 1e-3


class Both(NamedTuple):
    """Maps of the same speech in both networks, (chunks, channels, frames, 1).

    Attributes:
        kept: the number of the teacher's channel that each of the student's stands for.
    """

    teacher: Tensor
    student: Tensor
    kept: Tensor


class KeptInBlock(NamedTuple):
    """Channels kept of the groups of a Res2Net layer: of the first, and of all others alike.

    The others are added to one another.
    """

    first: Tensor
    others: Tensor


class Kept(NamedTuple):
    """Channels kept: of the maps that all blocks add to, inside each block, and of the pooled."""

    stream: Tensor
    blocks: list[KeptInBlock]
    pooled: Tensor


@torch.no_grad()
def slim(teacher: Any, student: Any, chunks: Tensor) -> None:
    """Set the weights of a small ECAPA-TDNN by those of a large one; both in evaluation mode.

    Args:
        teacher, student: networks as `ecapa_tdnn` builds them, the student nowhere the larger.
        chunks: of normalised frames, shape (chunks, frames, bins).
    """
    if teacher.normalisation is not None:
        chunks = teacher.normalisation(chunks)
    large, small = teacher.trunk, student.trunk
    kept = choose_kept(teacher, student, chunks)
    bins = large.channels(chunks.unsqueeze(1))
    maps = Both(bins, bins, torch.arange(bins.shape[1], device=bins.device))
    maps = fit_delay(large.input, small.input, maps, kept.stream)
    outputs = []
    for large_block, small_block, of_block in zip(
        large.blocks, small.blocks, kept.blocks, strict=True
    ):
        maps = fit_block(large_block, small_block, maps, of_block)
        outputs.append(maps)
    maps = side_by_side(outputs)
    del outputs  # of each block 1.4 KB a frame and more
    maps = fit_delay(large.output, small.output, maps, kept.pooled)
    fit_pooling(teacher.pooling, student.pooling, maps)
    dimensions = torch.arange(teacher.embedding_dim, device=bins.device)
    take_part(student.affine, teacher.affine, dimensions, twice(maps))


def choose_kept(teacher: Any, student: Any, chunks: Tensor) -> Kept:
    """Choose the channels to keep by how the teacher's vary over normalised chunks."""
    trunk, watch = teacher.trunk, Watch()
    watch.outputs("stream", trunk.input, *trunk.blocks)
    for number, block in enumerate(trunk.blocks):
        groups = block.layers.res2net.groups
        watch.inputs(f"first {number}", block.layers.res2net, channels=groups[0].norm.num_features)
        watch.inputs(f"others {number}", *groups)
        watch.outputs(f"others {number}", *groups)
    watch.outputs("pooled", trunk.output)
    for part in chunks.split(AT_ONCE):
        trunk(part.unsqueeze(1))
    watch.end()
    channels = student.trunk.input.norm.num_features
    width = channels // SCALE
    blocks = [
        KeptInBlock(watch.choose(f"first {i}", width), watch.choose(f"others {i}", width))
        for i in range(len(trunk.blocks))
    ]
    pooled = watch.choose("pooled", student.trunk.output.norm.num_features)
    return Kept(watch.choose("stream", channels), blocks, pooled)


class Watch:
    """Hooks on layers, that sum up how the channels of maps vary at named places."""

    def __init__(self) -> None:
        self._moments: dict[str, list[Moments]] = defaultdict(list)
        self._hooks: list[RemovableHandle] = []

    def outputs(self, place: str, *layers: nn.Module) -> None:
        """Watch the maps that layers give."""
        for layer in layers:
            take = partial(add_frames, self._new_moments(place), None)
            self._hooks.append(layer.register_forward_hook(lambda _, __, out, t=take: t(out)))

    def inputs(self, place: str, *layers: nn.Module, channels: int | None = None) -> None:
        """Watch the maps that layers take, or their first channels."""
        for layer in layers:
            take = partial(add_frames, self._new_moments(place), channels)
            self._hooks.append(layer.register_forward_pre_hook(lambda _, args, t=take: t(args)))

    def _new_moments(self, place: str) -> Moments:
        self._moments[place].append(Moments())
        return self._moments[place][-1]

    def end(self) -> None:
        """Watch no more."""
        for hook in self._hooks:
            hook.remove()

    def choose(self, place: str, count: int) -> Tensor:
        """Choose channels of a place."""
        return choose_channels([each.covariance() for each in self._moments[place]], count)


def add_frames(moments: Moments, channels: int | None, maps: Sequence[Tensor]) -> None:
    """Add the frames of the first of (maps, lengths), or some of its channels, to moments."""
    moments.add(as_rows(maps[0][:, :channels]))


def in_parts(maps: Both) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the maps of some chunks after others, of both networks: layers take much memory."""
    return zip(maps.teacher.split(AT_ONCE), maps.student.split(AT_ONCE), strict=True)


def as_rows(maps: Tensor) -> Tensor:
    """Return maps (chunks, channels, frames, 1) as frames (chunks * frames, channels)."""
    return maps.squeeze(3).transpose(1, 2).flatten(0, 1)


def fit_delay(large: Any, small: Any, maps: Both, kept: Tensor) -> Both:
    """Fit a layer on frames of which the channels `kept` stay, with its ReLU and normalisation."""
    take_part(small.affine, large.affine, kept, maps.kept)
    take_channels(small.norm, large.norm, kept)
    moments, passed = Moments(), []
    for teacher, student in in_parts(maps):
        wanted = large.affine(teacher)[0]
        heard = small.affine.stack(small.affine.continue_ends(student))
        moments.add(as_rows(heard), as_rows(wanted[:, kept] - small.affine(student)[0]))
        passed.append(large.norm(large.relu(wanted)))
    correct(small.affine, moments, OF_FRAMES)
    return Both(torch.cat(passed), small(maps.student)[0], kept)


def fit_block(large: Any, small: Any, maps: Both, kept: KeptInBlock) -> Both:
    """Fit a block, whose output is added to the maps."""
    large, small = large.layers, small.layers
    width = large.res2net.groups[0].norm.num_features
    of_groups = [kept.first, *(group * width + kept.others for group in range(1, SCALE))]
    inner = fit_delay(large.before, small.before, maps, torch.cat(of_groups))
    inner = fit_res2net(large.res2net, small.res2net, inner, kept)
    inner = fit_delay(large.after, small.after, inner, maps.kept)
    inner = fit_squeeze(large.se, small.se, inner)
    return Both(inner.teacher + maps.teacher, inner.student + maps.student, maps.kept)


def fit_res2net(large: Any, small: Any, maps: Both, kept: KeptInBlock) -> Both:
    """Fit the layers of a Res2Net layer, each on the sum of its group and the output before it."""
    groups = zip(maps.teacher.chunk(SCALE, dim=1), maps.student.chunk(SCALE, dim=1), strict=True)
    first, *others = (Both(*group, kept.others) for group in groups)
    outputs = [first._replace(kept=kept.first)]
    for number, group in enumerate(others):
        if number:
            before = outputs[-1]
            group = Both(group.teacher + before.teacher, group.student + before.student, group.kept)
        outputs.append(fit_delay(large.groups[number], small.groups[number], group, kept.others))
    return side_by_side(outputs)


def side_by_side(parts: Sequence[Both]) -> Both:
    """Join the channels of maps."""
    widths = torch.tensor([0] + [part.teacher.shape[1] for part in parts]).cumsum(0).tolist()
    kept = [part.kept + before for part, before in zip(parts, widths, strict=False)]
    teacher, student = (torch.cat([part[i] for part in parts], dim=1) for i in (0, 1))
    return Both(teacher, student, torch.cat(kept))


def fit_squeeze(large: Any, small: Any, maps: Both) -> Both:
    """Fit squeeze and excitation: its hidden layer on the means; the factors are the teacher's."""
    hidden, factors = small.fc[0], small.fc[2]
    every = torch.arange(hidden.out_features, device=maps.kept.device)
    take_part(hidden, large.fc[0], every, maps.kept)
    take_part(factors, large.fc[2], maps.kept, every)
    means = maps.student.mean(dim=(2, 3))
    moments = Moments()
    moments.add(means, large.fc[0](maps.teacher.mean(dim=(2, 3))) - hidden(means))
    correct(hidden, moments, OF_CHUNKS)
    return Both(large(maps.teacher)[0], small(maps.student)[0], maps.kept)


def fit_pooling(large: Any, small: Any, maps: Both) -> None:
    """Fit the attention: its hidden layer on frames and contexts; the scores are the teacher's."""
    dim = maps.teacher.shape[1]
    every = torch.arange(large.HIDDEN, device=maps.kept.device)
    contexts = [maps.kept + i * dim for i in range(3)]
    take_part(small.hidden, large.hidden, every, torch.cat(contexts))
    take_channels(small.hidden_norm, large.hidden_norm, every)
    take_part(small.scores, large.scores, maps.kept, every)
    take_channels(small.norm, large.norm, twice(maps))
    moments = Moments()
    for teacher, student in in_parts(maps):
        teacher, student = teacher.squeeze(3), student.squeeze(3)
        context = small.context(student)[:, :, None].expand(-1, -1, student.shape[2])
        heard = torch.cat([student, context], dim=1).transpose(1, 2)
        left = large.hear(teacher) - small.hear(student)
        moments.add(heard.flatten(0, 1), left.flatten(0, 1))
    correct(small.hidden, moments, OF_BOTH)


def twice(maps: Both) -> Tensor:
    """Return the channels kept of means and deviations, side by side."""
    return torch.cat([maps.kept, maps.kept + maps.teacher.shape[1]])
