"""Two ranks on the CPU: their gradients are those of one process with the whole batch."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.losses.base import SpeakerLoss
from deep_speaker.losses.mining import mine
from deep_speaker.training import ranks
from support.loss_cases import make_loss
from support.rank_processes import run_in_ranks

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
# Random negatives, and the batch normalisation of hidden layers, which sees the whole batch.
LOSSES: dict[str, tuple[str, dict[str, Any]]] = {
    "hard": ("triplet", {"negatives": ["hard"]}),
    "random": ("triplet", {"negatives": ["random"]}),
    "ge2e": ("ge2e", {}),
    "aam_softmax": ("aam_softmax", {"margin": 0.2}),
    "hidden": ("softmax", {"hidden_dims": [7]}),
}


def make_batch() -> tuple[Tensor, Tensor]:
    """Six speakers with four utterances each, well mixed."""
    generator = torch.Generator().manual_seed(0)
    own = torch.randn(6, 1, 10, generator=generator)
    inputs = own + 0.9 * torch.randn(6, 4, 10, generator=generator)
    return inputs.flatten(0, 1), torch.arange(6).repeat_interleave(4)


def build(name: str) -> tuple[nn.Module, SpeakerLoss]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 8))
    kind, options = LOSSES[name]
    return network, make_loss(kind, 8, 6, **options)


def gradients(*modules: nn.Module) -> list[Tensor]:
    found = [parameter.grad for module in modules for parameter in module.parameters()]
    assert all(gradient is not None for gradient in found)
    return [gradient.clone() for gradient in found if gradient is not None]


def step_as_the_trainer_does(name: str, wrapped: bool) -> dict[str, Any]:
    """One backward pass on this rank's part, or in one process on the whole batch."""
    network, loss = build(name)
    inputs, labels = (tensor.chunk(ranks.world_size())[ranks.rank()] for tensor in make_batch())
    parallel = ranks.parallel(network) if wrapped else network
    embeddings = ranks.gather_with_gradients(parallel(inputs))
    value, figures = loss(embeddings, ranks.gather(labels))
    value.backward()
    ranks.average_gradients([*loss.parameters()])
    if not wrapped:
        ranks.average_gradients(network.parameters())
    return {
        "loss": value.item(),
        "figures": {name: float(figure) for name, figure in figures.items()},
        "gradients": gradients(network, loss),
        "running": list(loss.buffers()),
    }


def accumulate() -> list[Tensor]:
    """Two batches before ranks exchange their gradients."""
    network, loss = build("hard")
    parallel = ranks.parallel(network)
    for last in (False, True):
        inputs, labels = make_batch()
        inputs = inputs + (0 if last else 1)
        part = inputs.chunk(ranks.world_size())[ranks.rank()]
        if last:
            embeddings = parallel(part)
            loss(ranks.gather_with_gradients(embeddings), labels)[0].backward()
        else:
            with ranks.without_exchange(parallel):
                embeddings = parallel(part)
                loss(ranks.gather_with_gradients(embeddings), labels)[0].backward()
    return gradients(network)


def gather_by_hand() -> dict[str, Tensor]:
    """Embeddings 1, 2 and 11, 12; the ranks weigh the gathered ones differently."""
    rank = ranks.rank()
    own = torch.tensor([[1.0], [2.0]]) + 10 * rank
    own.requires_grad_()
    gathered = ranks.gather_with_gradients(own)
    weights = torch.tensor([[1.0], [2.0], [3.0], [4.0]]) * (1 + 100 * rank)
    (gathered * weights).sum().backward()
    assert own.grad is not None
    labels = ranks.gather(torch.tensor([4 + rank, 7 + rank]))
    return {"gathered": gathered.detach(), "gradient": own.grad, "labels": labels}


def mine_everything() -> list[float]:
    """The share of hard triplets of an untrained network: on this rank alone, and of all ranks."""
    network, _ = build("hard")
    inputs, labels = make_batch()
    unit = F.normalize(network(inputs).detach(), dim=1)
    unit, labels = (tensor.chunk(ranks.world_size())[ranks.rank()] for tensor in (unit, labels))
    parts = ((unit, labels), (ranks.gather(unit), ranks.gather(labels)))
    return [mine(*part, "hard").hard_share.item() for part in parts]


def directions(degrees: Sequence[float]) -> Tensor:
    """Unit vectors of a plane: shape (degrees, 2)."""
    angles = torch.tensor(degrees).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def mine_by_hand() -> dict[str, Tensor]:
    """The hard negatives of the first speaker, at 0 and 60 degrees on the first rank."""
    own = directions([[0, 60, 180, 240], [20, 150, 200, 300]][ranks.rank()]).requires_grad_()
    labels = torch.arange(4).repeat_interleave(2)
    negatives = mine(ranks.gather_with_gradients(own), labels, "hard").negative[:2]
    negatives.sum().backward()
    assert own.grad is not None
    return {"negatives": negatives.detach(), "gradient": own.grad}


def find_everything() -> dict[str, Any]:
    with ranks.start(CPU) as device:
        found: dict[str, Any] = {
            "place": (ranks.rank(), ranks.world_size(), device.type),
            "gather": gather_by_hand(),
            "by_hand": mine_by_hand(),
            "mined": mine_everything(),
            "accumulated": accumulate(),
        }
        for name in LOSSES:
            found[name] = [step_as_the_trainer_does(name, wrapped) for wrapped in (True, False)]
    return found | {"left": (ranks.rank(), ranks.world_size())}


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two ranks have found, each in its process."""
    return run_in_ranks(find_everything, 2, tmp_path_factory.mktemp("ranks"))


def test_ranks_know_their_place_and_leave_it(two_ranks: list[dict[str, Any]]) -> None:
    assert [found["place"] for found in two_ranks] == [(0, 2, "cpu"), (1, 2, "cpu")]
    assert [found["left"] for found in two_ranks] == [(0, 1), (0, 1)]


def test_gathering_by_hand(two_ranks: list[dict[str, Any]]) -> None:
    for found in two_ranks:
        assert found["gather"]["gathered"].tolist() == [[1], [2], [11], [12]]
        assert found["gather"]["labels"].tolist() == [4, 7, 5, 8]
    # The sum over ranks: weights 1, 2, 3, 4 on the first, times 101 on the second.
    assert two_ranks[0]["gather"]["gradient"].tolist() == [[102], [204]]
    assert two_ranks[1]["gather"]["gradient"].tolist() == [[306], [408]]


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_one_process(
    name: str, wrapped: bool, two_ranks: list[dict[str, Any]]
) -> None:
    alone = step_as_the_trainer_does(name, wrapped)
    assert max(gradient.abs().max() for gradient in alone["gradients"]) > 0.01
    for found in two_ranks:
        together = found[name][0 if wrapped else 1]
        assert together["loss"] == pytest.approx(alone["loss"], rel=1e-5)
        assert together["figures"] == pytest.approx(alone["figures"], rel=1e-5)
        for ours, expected in zip(together["gradients"], alone["gradients"], strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(together["running"], alone["running"], rtol=1e-5, atol=1e-5)


def test_gradients_of_two_batches_add_up_as_in_one_process(two_ranks: list[dict[str, Any]]) -> None:
    # Each rank gives the labels of the whole batch here, as they are the same for both batches.
    alone = accumulate()
    for found in two_ranks:
        for ours, expected in zip(found["accumulated"], alone, strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


def test_a_hard_negative_on_the_other_rank_is_found_and_pushed(
    two_ranks: list[dict[str, Any]],
) -> None:
    """That at 20 degrees; on the anchors' own rank the hardest is 120 degrees away from them."""
    for found in two_ranks:
        negatives = found["by_hand"]["negatives"]
        torch.testing.assert_close(negatives, torch.tensor([20.0, 40.0]).deg2rad().cos())
    # The sum of the anchors by each of two ranks, as above.
    of_first, of_second = (found["by_hand"]["gradient"] for found in two_ranks)
    expected = torch.zeros(4, 2)
    expected[0] = 2 * directions([0, 60]).sum(dim=0)
    torch.testing.assert_close(of_second, expected)
    torch.testing.assert_close(of_first[:2], 2 * directions([20, 20]))


def test_more_ranks_find_more_hard_negatives(two_ranks: list[dict[str, Any]]) -> None:
    (first, together), (second, also) = (found["mined"] for found in two_ranks)
    assert together == also
    assert together > (first + second) / 2 + 0.05


def test_without_a_process_group_nothing_is_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with ranks.start(CPU) as device:
        assert (device, ranks.rank(), ranks.world_size()) == (CPU, 0, 1)
    values = torch.ones(2, requires_grad=True)
    assert ranks.gather(values) is values
    assert ranks.gather_with_gradients(values) is values
    network = nn.Linear(2, 2)
    assert ranks.parallel(network) is network


def test_more_ranks_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "1"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(ValueError, match="rank 1 of this machine, which has 1 GPUs"),
        ranks.start(torch.device("cuda")),
    ):
        pass
