"""Losses beside voxceleb_trainer's formulas (commit f51bab8), run as they stand there."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.losses.softmax_prototypical import SoftmaxPrototypicalLoss
from support.loss_cases import check_gradients, make_loss

SCALE, BIAS = 10.0, -5.0


def draw(speakers: int, utterances: int, dimension: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(speakers + utterances)
    return torch.randn(speakers, utterances, dimension, generator=generator)


def published_angleproto(x: Tensor) -> Tensor:
    out_anchor = torch.mean(x[:, 1:, :], 1)
    out_positive = x[:, 0, :]
    cos_sim_matrix = F.cosine_similarity(
        out_positive.unsqueeze(-1), out_anchor.unsqueeze(-1).transpose(0, 2)
    )
    return F.cross_entropy(cos_sim_matrix * SCALE + BIAS, torch.arange(len(x)))


def published_ge2e(x: Tensor, lowest: float) -> Tensor:
    """GE2E of embeddings (speakers, utterances, dim); theirs has `lowest` 1e-6."""
    stepsize, gsize, _ = x.shape
    centroids = torch.mean(x, 1)
    cos_sim_matrix = []
    for ii in range(gsize):
        idx = [*range(gsize)]
        idx.remove(ii)
        exc_centroids = torch.mean(x[:, idx, :], 1)
        cos_sim_diag = F.cosine_similarity(x[:, ii, :], exc_centroids)
        cos_sim = F.cosine_similarity(
            x[:, ii, :].unsqueeze(-1), centroids.unsqueeze(-1).transpose(0, 2)
        )
        cos_sim[range(stepsize), range(stepsize)] = cos_sim_diag
        cos_sim_matrix.append(torch.clamp(cos_sim, lowest))
    logits = torch.stack(cos_sim_matrix, dim=1) * SCALE + BIAS
    label = torch.repeat_interleave(torch.arange(stepsize), repeats=gsize, dim=0)
    return F.cross_entropy(logits.view(-1, stepsize), label)


def published_triplets(x: Tensor, negatives: list[int], margin: float) -> Tensor:
    anchor, positive = F.normalize(x[:, 0], dim=1), F.normalize(x[:, 1], dim=1)
    pos_dist = F.pairwise_distance(anchor, positive)
    neg_dist = F.pairwise_distance(anchor, positive[negatives, :])
    return torch.mean(F.relu(torch.pow(pos_dist, 2) - torch.pow(neg_dist, 2) + margin))


@pytest.mark.parametrize(("speakers", "utterances"), [(4, 2), (6, 2), (3, 4)])
def test_softmax_prototypical_is_the_sum_of_theirs(speakers: int, utterances: int) -> None:
    """Theirs takes two utterances of a speaker; the formulas of its terms take more."""
    loss = make_loss("softmax_prototypical", 5, 9)
    assert isinstance(loss, SoftmaxPrototypicalLoss)
    x = draw(speakers, utterances)
    label = torch.tensor([7, 2, 8, 0, 5, 3])[:speakers]
    fc = nn.Linear(5, 9)
    fc.load_state_dict(loss.softmax.classes.state_dict())
    classified = fc(x.reshape(-1, 5))
    labels = label.repeat_interleave(utterances)
    expected = F.cross_entropy(classified, labels) + published_angleproto(x)
    value, figures = loss(x.reshape(-1, 5), labels)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    right = (classified.argmax(dim=1) == labels).float().mean().item()
    assert figures["accuracy"] == pytest.approx(right)
    queries = F.normalize(x[:, 0], dim=1) @ F.normalize(x[:, 1:].mean(dim=1), dim=1).T
    nearest = (queries.argmax(dim=1) == torch.arange(speakers)).float().mean().item()
    assert figures["prototypical_accuracy"] == pytest.approx(nearest)


def test_both_terms_of_softmax_prototypical_have_gradients() -> None:
    loss = make_loss("softmax_prototypical", 5, 9, initial_scale=3)
    check_gradients(loss, draw(4, 2).reshape(-1, 5), torch.arange(4).repeat_interleave(2))
    assert all(weight.grad is None for weight in loss.parameters())
    loss.float()(draw(4, 2).reshape(-1, 5), torch.arange(4).repeat_interleave(2))[0].backward()
    found = {name: weight.grad for name, weight in loss.named_parameters()}
    for name in ("softmax.classes.weight", "prototypical.angular_prototypical.scale"):
        assert found[name] is not None and found[name].abs().max() > 1e-3  # type: ignore[union-attr]


def test_ge2e_is_theirs_without_its_clamp_of_cosines() -> None:
    """Of embeddings of unit length, as the paper has it; theirs averages them before that."""
    x = F.normalize(2 * draw(6, 1) + draw(6, 3), dim=2)
    value, _ = make_loss("ge2e")(x.reshape(-1, 5), torch.arange(6).repeat_interleave(3))
    assert value.item() == pytest.approx(published_ge2e(x, lowest=-1).item(), rel=1e-5)
    assert published_ge2e(x, lowest=1e-6) > 1.04 * value


def test_triplets_at_half_their_margin_are_half_their_loss() -> None:
    """Of the hardest negatives, where they are the same for both: the two utterances are alike."""
    x = draw(5, 1).expand(5, 2, 5) + 1e-4 * draw(5, 2)
    unit = F.normalize(x[:, 1], dim=1)
    cosines = (unit @ unit.T).fill_diagonal_(-2)
    theirs = published_triplets(x, cosines.argmax(dim=1).tolist(), margin=1.6)
    loss = make_loss("triplet", margin=0.8, negatives=["hard"])
    value, _ = loss(x.reshape(-1, 5), torch.arange(5).repeat_interleave(2))
    assert value.item() == pytest.approx(theirs.item() / 2, rel=1e-3)
    assert value > 0.1
