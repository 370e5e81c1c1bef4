"""A plain copy of voxceleb_trainer's networks: weights by its names, and their forward pass."""

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


WIDTHS, BLOCKS = (16, 32, 64, 128), (3, 4, 6, 3)


# Index in `netcnn`, (inputs, outputs, height, width), stride and padding over (bins, frames).
VGG = (
    (0, (1, 96, 5, 7), (1, 2), (2, 2)),
    (4, (96, 256, 5, 5), (2, 2), (1, 1)),
    (8, (256, 384, 3, 3), (1, 1), (1, 1)),
    (11, (384, 256, 3, 3), (1, 1), (1, 1)),
    (14, (256, 256, 3, 3), (1, 1), (1, 1)),
    (18, (256, 512, 4, 1), (1, 1), (0, 0)),
)


VGG_POOLS = {0: ((1, 3), (1, 2)), 4: ((3, 3), (2, 2)), 14: ((3, 3), (2, 2))}


def make_state(name: str, pooling: str = "self_attentive") -> State:
    """Random weights and running statistics, by the names of voxceleb_trainer."""
    torch.manual_seed(7)
    state: State = {}

    def add_weight(key: str, *shape: int) -> None:
        state[key] = torch.randn(*shape) / max(1, state_fan_in(shape)) ** 0.5

    def add_norm(key: str, channels: int) -> None:
        state[f"{key}.weight"] = torch.rand(channels) + 0.5
        state[f"{key}.bias"] = torch.randn(channels) / 3
        state[f"{key}.running_mean"] = torch.randn(channels) / 3
        state[f"{key}.running_var"] = torch.rand(channels) + 0.3
        state[f"{key}.num_batches_tracked"] = torch.tensor(1234)

    if name == "vggvox40":
        for index, (inputs, outputs, height, width), _, _ in VGG:
            add_weight(f"netcnn.{index}.weight", outputs, inputs, height, width)
            add_weight(f"netcnn.{index}.bias", outputs)
            add_norm(f"netcnn.{index + 1}", outputs)
        dim = 512
    else:
        add_weight("conv1.weight", 16, 1, 7, 7)
        add_norm("bn1", 16)
        inputs = 16
        for layer, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True), 1):
            for block in range(blocks):
                key = f"layer{layer}.{block}"
                add_weight(f"{key}.conv1.weight", width, inputs, 3, 3)
                add_norm(f"{key}.bn1", width)
                add_weight(f"{key}.conv2.weight", width, width, 3, 3)
                add_norm(f"{key}.bn2", width)
                add_weight(f"{key}.se.fc.0.weight", width // 8, width)
                add_weight(f"{key}.se.fc.0.bias", width // 8)
                add_weight(f"{key}.se.fc.2.weight", width, width // 8)
                add_weight(f"{key}.se.fc.2.bias", width)
                if layer > 1 and block == 0:
                    add_weight(f"{key}.downsample.0.weight", width, inputs, 1, 1)
                    add_norm(f"{key}.downsample.1", width)
                inputs = width
        dim = 128
    if "attentive" in pooling:
        add_weight("sap_linear.weight", dim, dim)
        add_weight("sap_linear.bias", dim)
        add_weight("attention", dim, 1)
    add_weight("fc.weight", 512, 2 * dim if pooling == "attentive_statistics" else dim)
    add_weight("fc.bias", 512)
    return state


def state_fan_in(shape: tuple[int, ...]) -> int:
    return int(torch.tensor(shape[1:]).prod()) if len(shape) > 1 else 9


def norm(state: State, key: str, maps: Tensor) -> Tensor:
    mean, variance = state[f"{key}.running_mean"], state[f"{key}.running_var"]
    scale = state[f"{key}.weight"] / torch.sqrt(variance + 1e-5)
    shift = state[f"{key}.bias"] - mean * scale
    return maps * scale[:, None, None] + shift[:, None, None]


def run_block(state: State, key: str, maps: Tensor, stride: int) -> Tensor:
    out = norm(
        state, f"{key}.bn1", F.conv2d(maps, state[f"{key}.conv1.weight"], None, stride, 1).relu()
    )
    out = norm(state, f"{key}.bn2", F.conv2d(out, state[f"{key}.conv2.weight"], None, 1, 1))
    hidden = F.linear(
        out.mean((2, 3)), state[f"{key}.se.fc.0.weight"], state[f"{key}.se.fc.0.bias"]
    )
    gates = F.linear(hidden.relu(), state[f"{key}.se.fc.2.weight"], state[f"{key}.se.fc.2.bias"])
    out = out * gates.sigmoid()[:, :, None, None]
    if f"{key}.downsample.0.weight" in state:
        maps = F.conv2d(maps, state[f"{key}.downsample.0.weight"], None, stride)
        maps = norm(state, f"{key}.downsample.1", maps)
    return (out + maps).relu()


def run_trunk(name: str, state: State, maps: Tensor) -> Tensor:
    """Maps (batch, 1, bins, frames) to features (batch, frames, dim)."""
    if name == "vggvox40":
        for index, _, stride, padding in VGG:
            weight, bias = state[f"netcnn.{index}.weight"], state[f"netcnn.{index}.bias"]
            maps = norm(state, f"netcnn.{index + 1}", F.conv2d(maps, weight, bias, stride, padding))
            maps = maps.relu()
            if index in VGG_POOLS:
                maps = F.max_pool2d(maps, *VGG_POOLS[index])
        return maps[:, :, 0].transpose(1, 2)
    maps = norm(state, "bn1", F.conv2d(maps, state["conv1.weight"], None, (2, 1), 3)).relu()
    if name == "resnetse34":
        maps = F.max_pool2d(maps, 3, (2, 1), 1)
    for layer, blocks in enumerate(BLOCKS, 1):
        strides = (1, 2, 2, 2) if name == "resnetse34" else (1, 2, 2, 1)
        for block in range(blocks):
            first = block == 0
            maps = run_block(
                state, f"layer{layer}.{block}", maps, strides[layer - 1] if first else 1
            )
    return maps.mean(dim=2).transpose(1, 2)


def run_plain(name: str, pooling: str, state: State, spectrograms: Tensor) -> Tensor:
    """Spectrograms (batch, bins, frames) to embeddings."""
    mean = spectrograms.mean(dim=2, keepdim=True)
    variance = spectrograms.var(dim=2, keepdim=True, correction=0)
    features = run_trunk(name, state, ((spectrograms - mean) / (variance + 1e-5).sqrt())[:, None])
    if pooling == "average":
        pooled = features.mean(dim=1)
    elif pooling == "maximum":
        pooled = features.max(dim=1).values
    else:
        hidden = torch.tanh(features @ state["sap_linear.weight"].T + state["sap_linear.bias"])
        weights = (hidden @ state["attention"]).softmax(dim=1)
        pooled = (features * weights).sum(dim=1)
        if pooling == "attentive_statistics":
            moment = (features**2 * weights).sum(dim=1)
            pooled = torch.cat([pooled, (moment - pooled**2).clamp(min=1e-5).sqrt()], dim=1)
    return pooled @ state["fc.weight"].T + state["fc.bias"]
