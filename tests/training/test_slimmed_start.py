"""The start of distillation as the slimmed teacher: by whose speech, its last layer, mistakes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, Ridge

from deep_speaker.config import Experiment
from deep_speaker.features.source import FeatureSource
from deep_speaker.networks.checkpoints import Checkpoint, save_checkpoint
from deep_speaker.networks.registry import build_network
from deep_speaker.training import slimmed_start
from deep_speaker.training.setup import build_trainer
from deep_speaker.training.slimmed_start import fit_embedding, is_slimmed, pool, slim_teacher
from deep_speaker.training.targets import Targets
from support.teachers import make_student, write_targets, write_teacher
from support.tiny_data import make_frames, write_features
from support.training_runs import CPU, TINY

NETWORK: dict[str, Any] = {
    "name": "ecapa_tdnn",
    "channels": 16,
    "pooled_channels": 12,
    "embedding_dim": 8,
}


def make_ecapa(starts_from: str = "random", **sections: Any) -> Experiment:
    """The tiny experiment with an ECAPA-TDNN; `network` has what differs from the student's."""
    network = NETWORK | sections.pop("network", {})
    content = make_student(**sections).model_dump(mode="json") | {"network": network}
    content["distillation"]["starts_from"] = starts_from
    return Experiment.model_validate(content)


def make_teacher(network: dict[str, Any] | None = None, **sections: Any) -> Experiment:
    larger = {"channels": 24, "pooled_channels": 20} | (network or {})
    return make_ecapa(network=larger, **sections)


STUDENT = make_ecapa("teacher")


@pytest.fixture(scope="module")
def targets(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_targets(tmp_path_factory.mktemp("teachers") / "a", data_dir, STUDENT)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_teacher(tmp_path_factory.mktemp("teacher") / "best.pt", make_teacher())


@pytest.fixture(scope="module")
def slimmed(data_dir: Path, targets: Path, teacher: Path) -> Checkpoint:
    return slim_teacher(STUDENT, teacher, data_dir, targets, CPU)


def test_distillation_starts_from_it(data_dir: Path, targets: Path, slimmed: Checkpoint) -> None:
    built = build_trainer(STUDENT, "distillation", data_dir, slimmed, CPU, [targets])
    state = built.network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in slimmed.network.items())
    assert slimmed.speakers == built.speakers
    untrained = build_trainer(STUDENT, "distillation", data_dir, None, CPU, [targets])
    distances = [each.judge_network()["held_out_distance"] for each in (built, untrained)]
    assert distances[0] < 0.7 * distances[1]


def test_the_last_layer_learns_what_the_teacher_s_lacks_by_ridge_regression(
    data_dir: Path, targets: Path, slimmed: Checkpoint
) -> None:
    """On all pieces of the training speakers."""
    assert STUDENT.distillation is not None
    network: Any = build_network(STUDENT).eval()
    network.load_state_dict(slimmed.network)
    source = FeatureSource(data_dir, STUDENT)
    read = Targets([targets], source, STUDENT.distillation)
    pieces = [
        piece
        for utterance, speaker in source.utt2spk.items()
        if speaker in slimmed.speakers
        for piece in read.pieces(utterance)
    ]
    x, y = (np.stack(rows).astype(np.float64) for rows in (
        [pool(network, source.read(piece))[0].detach().numpy() for piece in pieces],
        [read.of(piece) for piece in pieces],
    ))  # fmt: skip
    torch.nn.init.normal_(network.affine.weight)
    before = network.affine.weight.detach().numpy().astype(np.float64)
    fit_embedding(network, source, pieces, read)
    given = x @ before.T
    scale = (
        LinearRegression(fit_intercept=False)
        .fit((given - given.mean(axis=0)).reshape(-1, 1), (y - y.mean(axis=0)).ravel())
        .coef_[0]
    )
    alpha = slimmed_start.RIDGE * len(x) * x.var(axis=0).mean()
    theirs = Ridge(alpha=alpha).fit(x, y - scale * given)
    expected = theirs.predict(x) + scale * given
    found = network.affine(torch.from_numpy(x).float()).detach().numpy()
    assert found == pytest.approx(expected, abs=1e-4)


def test_speech_of_held_out_speakers_has_no_part(
    data_dir: Path,
    targets: Path,
    teacher: Path,
    slimmed: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard = set()
    read = FeatureSource.read

    def note(source: FeatureSource, section: Any) -> np.ndarray:
        heard.add(source.utt2spk[section.utterance])
        return read(source, section)

    monkeypatch.setattr(FeatureSource, "read", note)
    again = slim_teacher(STUDENT, teacher, data_dir, targets, CPU)
    assert sorted(heard) == slimmed.speakers
    assert len(heard) == 5  # of 8
    assert all(torch.equal(again.network[name], slimmed.network[name]) for name in again.network)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            make_teacher(network={"channels": 8}),
            r"has \(channels, pooled_channels\) \(8, 20\), the",
        ),
        (make_teacher(network={"pooled_channels": 8}), r"\(24, 8\), the network \(16, 12\): take"),
        (make_teacher(network={"embedding_dim": 9}), r"has other network\.embedding_dim than the"),
        (make_teacher(features={"num_mels": 12}), "has other features than the config: take the"),
        (
            make_teacher(features={"low_freq": 50}, normalisation={"scale": 2}),
            "other features and normalisation than",
        ),
        (
            make_teacher(network={"pooling": "statistics"}),
            r"has other network\.pooling than the config",
        ),
        (make_student(), r"best\.pt is a rescnn and the network a ecapa_tdnn: only an ecapa_tdnn"),
    ],
)
def test_a_teacher_that_cannot_be_slimmed_is_refused(
    found: Experiment, told: str, data_dir: Path, targets: Path, tmp_path: Path
) -> None:
    path = write_teacher(tmp_path / "best.pt", found)
    with pytest.raises(ValueError, match=told):
        slim_teacher(STUDENT, path, data_dir, targets, CPU)


def test_another_compression_of_the_arks_is_no_other_front_end(
    data_dir: Path, targets: Path, tmp_path: Path
) -> None:
    found = make_teacher(features={"compression": "two_byte"})
    slim_teacher(STUDENT, write_teacher(tmp_path / "best.pt", found), data_dir, targets, CPU)


def test_what_is_slimmed_from_the_same_is_not_slimmed_again(
    data_dir: Path, targets: Path, slimmed: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "initial_model/best.pt"
    assert not is_slimmed(path, STUDENT, data_dir, targets)
    save_checkpoint(path, slimmed)
    assert is_slimmed(path, STUDENT, data_dir, targets)
    assert not is_slimmed(path, make_ecapa("teacher", seed=1), data_dir, targets)
    assert not is_slimmed(path, STUDENT, data_dir, targets.with_name("b"))
    frames = make_frames(seed=1)
    assert not is_slimmed(path, STUDENT, write_features(tmp_path / "d", frames, TINY), targets)
    path.write_bytes(path.read_bytes()[:1000])
    assert not is_slimmed(path, STUDENT, data_dir, targets)


def test_only_ecapa_tdnn_starts_from_its_teacher() -> None:
    told = "starts_from teacher: needs network ecapa_tdnn with pooling context_attentive"
    with pytest.raises(ValueError, match=told):
        make_student({"starts_from": "teacher"})
    with pytest.raises(ValueError, match=told):
        make_ecapa("teacher", network={"pooling": "statistics"})


def test_nothing_is_slimmed_where_it_is_not_asked_for(
    data_dir: Path, targets: Path, teacher: Path
) -> None:
    with pytest.raises(ValueError, match=r"distillation\.starts_from is not teacher"):
        slim_teacher(make_ecapa(), teacher, data_dir, targets, CPU)
