"""Every experiment and every promised option, for a few steps, from features to results."""

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from _pytest.mark import ParameterSet
from pydantic import BaseModel

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.config.kinds import section_classes
from deep_speaker.config.phases import start_of, trained_phases
from deep_speaker.copies.joining import adopt_voice_activity, join_data_dirs
from deep_speaker.copies.writing import write_copies
from deep_speaker.embeddings import extraction, teachers
from deep_speaker.embeddings.extraction import Extractor, extract
from deep_speaker.embeddings.teachers import embed_training_set
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.networks.checkpoints import load_checkpoint, save_checkpoint
from deep_speaker.networks.registry import build_network, count_parameters
from deep_speaker.results.computation import compute_rows
from deep_speaker.scoring.list_scoring import score_phase
from deep_speaker.training.loop import train
from deep_speaker.training.slimmed_start import slim_teacher
from support.experiment_files import CONF, CONFIGS, names_in
from support.speech import make_speech, write_audio
from support.teachers import write_teacher
from support.tiny_data import make_experiment
from support.training_runs import ASKED

ROOT = Path(__file__).parents[2]
FEW_STEPS = CONF / "overrides/few_steps.yaml"
PUBLISHED = CONF / "deep_speaker_published.yaml"
TINY = ROOT / "tests/support/tiny.yaml"
CPU = torch.device("cpu")

PARAMETERS = {
    "base": 24_165_568,
    "deep_speaker": 24_165_568,
    "deep_speaker_gru": 22_564_928,
    "deep_speaker_librispeech": 24_165_568,
    "deep_speaker_published": 24_172_288,
    "deep_speaker_voxceleb": 11_624_128,
    "ecapa_tdnn": 20_767_552,
    "ecapa_tdnn_512": 6_194_048,
    "embedded": 793_648,
    "one_shot": 2_711_200,
    "real": 402_560,
    "resnetse34": 1_437_078,
    "resnetse34l": 1_437_078,
    "resnetse34l_2021": 1_437_078,
    "resnetse34l_aam": 1_502_614,
    "small": 6_194_048,
    "vggvox40": 4_032_448,
    "voice_embeddings": 24_165_568,
    "xvector": 4_219_868,
}

# The networks of conf/, as deep, but narrow: a few steps of the wide ones take minutes. Residual
# networks of fewer than 16 channels make torch 2.13 write beside its memory (oneDNN's backward
# convolutions by AVX-512 in two threads; not by AVX2).
NARROW = {
    "rescnn": ["network.channels=[16, 16, 16, 16]", "network.embedding_dim=32"],
    "window_average": [
        "network.base.channels=[16, 16, 16, 16]", "network.base.embedding_dim=32"
    ],
    "gru": ["network.channels=16", "network.hidden_dim=16", "network.embedding_dim=32"],
    "resnetse34": ["network.channels=[16, 16, 16, 16]", "network.embedding_dim=32"],
    "resnetse34l": ["network.channels=[16, 16, 16, 16]", "network.embedding_dim=32"],
    "vggvox40": ["network.embedding_dim=32"],
    "tdnn": ["network.channels=16", "network.pooled_channels=32", "network.embedding_dim=32"],
    "ecapa_tdnn": ["network.channels=16", "network.pooled_channels=48", "network.embedding_dim=32"],
}  # fmt: skip
FEW_CROPS = ["extraction.num_crops=2", "held_out.segments_per_speaker=2"]

ONE_PASS = ["pretraining.steps_per_epoch=null", "pretraining.utterances_per_speaker=2"]
ALONE = "finetuning=null"


def distillation(loss: str, *keys: str) -> str:
    """Return the setting of a distillation of two steps."""
    few_steps = ("teacher_frames: 60", "chunk_frames: 60", "epochs: 1", "steps_per_epoch: 2")
    return f"distillation={{loss: {loss}, {', '.join((*few_steps, *keys))}}}"


# Options that no file of conf/ uses: a name, an experiment file, settings.
PROMISED: list[tuple[str, Path, list[str]]] = [
    ("over", TINY, ["pretraining.sampling=over", *ONE_PASS, ALONE]),
    ("under", TINY, ["pretraining.sampling=under", *ONE_PASS, ALONE]),
    ("pairs", TINY, ["finetuning.sampling=pairs", "finetuning.loss={name: contrastive}"]),
    ("contrastive", TINY, ["finetuning.loss={name: contrastive, negatives: [random, hard]}"]),
    ("am_softmax", TINY, ["pretraining.loss={name: am_softmax, margin_to: 0.5}", ALONE]),
    ("ge2e", TINY, ["pretraining.loss.name=ge2e", "pretraining.utterances_per_speaker=2", ALONE]),
    ("prototypical", TINY, ["finetuning.loss.name=prototypical"]),
    ("softmax_prototypical", TINY, ["finetuning.loss.name=softmax_prototypical"]),
    ("maximum", TINY, ["network.pooling=maximum", "normalisation.mean=none", ALONE]),
    ("pieces", TINY, ["pretraining.pieces_per_chunk=2", "pretraining.min_utterances=2", ALONE]),
    ("as_norm", TINY, ["scoring.backends=[plda_as_norm, centred_cosine_as_norm]", ALONE]),
    ("copies", TINY, ["augmented_copies={copies_per_utterance: 1, volume: [0.5, 2]}", ALONE]),
    (
        "trimmed copies",
        PUBLISHED,
        ["augmented_copies={copies_per_utterance: 1}", *NARROW["rescnn"]],
    ),
    ("speeds", TINY, ["augmented_copies={kinds: [], speeds: [0.9]}", ALONE]),
    ("distillation", TINY, [distillation("{name: distillation}"), "pretraining=null"]),
    (
        "slimmed teacher",
        TINY,
        [
            distillation("{name: distillation}", "starts_from: teacher", "fixed_batch_norm: true"),
            "network={name: ecapa_tdnn, channels: 16, pooled_channels: 24, embedding_dim: 16}",
            "pretraining=null",
        ],
    ),
    (
        "distillation of copies",
        TINY,
        [
            distillation(
                "{name: distillation, distance: squared, classification: {name: am_softmax}}",
                "teacher_hears: copies",
            ),
            "augmented_copies={copies_per_utterance: 1, speeds: [0.9]}",
        ],
    ),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded corpus, of few speakers."""
    folder = tmp_path_factory.mktemp("data") / "embedded"
    numbers = "--num-train-speakers 8 --num-test-speakers 3 --num-utterances 2"
    command = [sys.executable, str(ROOT / "local/prepare_embedded.py"), *numbers.split()]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "pyscripts")}
    subprocess.run([*command, "--nj", "2", str(folder)], env=environment, check=True)
    return folder


@pytest.fixture(scope="module")
def noises(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of noise and music, as MUSAN."""
    folder = tmp_path_factory.mktemp("noises")
    for part in ("noise", "music"):
        write_audio(folder / part / "1.wav", make_speech(0, 1))
    return folder


@pytest.fixture(scope="module")
def prepare(corpus: Path, noises: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable:
    """Return a function that gives the corpus with an experiment's features, made once for all."""
    made: dict[str, Path] = {}

    def prepare(experiment: Experiment) -> Path:
        stage_1 = experiment.model_dump_json(
            include={"features", "voice_activity", "augmented_copies"}
        )
        if stage_1 not in made:
            made[stage_1] = tmp_path_factory.mktemp("features") / "embedded"
            shutil.copytree(corpus, made[stage_1])
            write_features(made[stage_1], experiment, noises)
        return made[stage_1]

    return prepare


def write_features(data: Path, experiment: Experiment, noises: Path) -> None:
    """Run stage 1."""
    for part in ("train", "test"):
        compute_data_dir(data / part, experiment, 1)
    if experiment.augmented_copies:
        write_copies(data / "train", data / "train_copies", experiment, (noises, None), 1)
        compute_data_dir(data / "train_copies", experiment, 1)
        adopt_voice_activity(data / "train_copies", data / "train", 1)
        join_data_dirs(data / "train_augmented", data / "train", data / "train_copies")


def run_to_results(experiment: Experiment, data: Path, output: Path) -> None:
    """Run stages 2 to 6, and check what each leaves."""
    train_dir = data / ("train_augmented" if experiment.augmented_copies else "train")
    phases = trained_phases(experiment)
    for phase in phases:
        folder, start = output / phase, start_of(phase, phases)
        initial = output / start / "best.pt" if start else None
        targets: list[Path] = []
        if phase == "distillation":
            targets, initial = teach(experiment, train_dir, output)
        train(experiment, phase, train_dir, folder, initial, False, CPU, ASKED, targets)
        (figures,) = load_checkpoint(folder / "last.pt").history
        assert all(map(math.isfinite, figures.values())), figures
    for part, count in (("train", 16), ("test", 6)):
        xvectors = folder / f"xvectors_{part}"
        extract({xvectors: Extractor(folder / "best.pt", data / part, experiment, CPU)}, 1)
        table = ArchiveTable(xvectors / "xvector.scp")
        vectors = np.stack([table.rows(key) for key in table])
        assert vectors.shape == (count, experiment.network.embedding_dim)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    score_phase(experiment, data / "train", data / "test", output, phase)
    rows = compute_rows(data / "test", output / "scores", [phase])
    assert {row["backend"] for row in rows} == set(experiment.scoring.backends)
    assert all(0 <= row["eer_percent"] <= 100 for row in rows)


def teach(experiment: Experiment, train_dir: Path, output: Path) -> tuple[list[Path], Path | None]:
    """Embed the training set by a teacher; return its embeddings, and the student's first weights.

    The teacher has another front end and dimension, unless it is the student's start.
    """
    assert experiment.distillation is not None
    slims = experiment.distillation.starts_from == "teacher"
    wide = {"channels": 24, "pooled_channels": 56}
    teacher = (
        experiment.model_copy(update={"network": experiment.network.model_copy(update=wide)})
        if slims
        else make_experiment(
            features={"front_end": "speechbrain", "num_mels": 20}, network={"embedding_dim": 12}
        )
    )
    checkpoint = write_teacher(output / "teacher.pt", teacher)
    folder = embed_training_set(checkpoint, train_dir, experiment, output / "teachers", CPU, 1)
    if not slims:
        return [folder], None
    initial = output / "initial_model/best.pt"
    save_checkpoint(initial, slim_teacher(experiment, checkpoint, train_dir, folder, CPU))
    return [folder], initial


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Extract without starting any: seconds each time."""
    for where in (extraction, teachers):
        monkeypatch.setattr(where, "in_processes", lambda device: False)


def first_of_each_network() -> list[ParameterSet]:
    """Return the experiments: the first of each network; the others with --full."""
    seen = set()
    found = []
    for config in CONFIGS:
        name = read_experiment(config).network.name
        marks = [pytest.mark.full] if name in seen else []
        found.append(pytest.param(config, marks=marks, id=config.stem))
        seen.add(name)
    return found


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_the_network_has_as_many_parameters_as_documented(config: Path) -> None:
    with torch.device("meta"):
        network = build_network(read_experiment(config))
    assert count_parameters(network) == PARAMETERS[config.stem]


@pytest.mark.slow
@pytest.mark.parametrize("config", first_of_each_network())
def test_an_experiment_runs_to_its_results(
    config: Path, prepare: Callable, no_processes: None, tmp_path: Path
) -> None:
    narrow = NARROW[read_experiment(config).network.name]
    experiment = read_experiment(config, [FEW_STEPS], [*narrow, *FEW_CROPS])
    run_to_results(experiment, prepare(experiment), tmp_path)


@pytest.mark.parametrize(
    ("config", "settings"), [case[1:] for case in PROMISED], ids=[case[0] for case in PROMISED]
)
def test_a_promised_option_runs_to_its_results(
    config: Path, settings: list[str], prepare: Callable, no_processes: None, tmp_path: Path
) -> None:
    experiment = read_experiment(config, [FEW_STEPS], settings)
    run_to_results(experiment, prepare(experiment), tmp_path)


def test_every_option_is_used_by_an_experiment_that_runs() -> None:
    """Options are names to choose from, and keys that are null or empty unless they are asked for.

    One that is in neither conf/ nor the list above is a promise that nobody has tried.
    """
    experiments = [read_experiment(config) for config in CONFIGS]
    experiments += [read_experiment(config, [], settings) for _, config, settings in PROMISED]
    used = {pair for experiment in experiments for pair in used_options(experiment)}
    promised = {pair for section in section_classes() for pair in promised_options(section)}
    assert promised <= used, promised - used


def promised_options(section: type[BaseModel]) -> Iterator[tuple[str, object]]:
    """Yield the keys of a section with each name that they may have, and those that may be set."""
    for key, field in section.model_fields.items():
        for name in names_in(field.annotation):
            yield key, name
        if field.default is None or field.default == ():
            yield key, "set"


def used_options(section: BaseModel) -> Iterator[tuple[str, object]]:
    for key, value in section:
        if value is not None and value != ():
            yield key, "set"
        if isinstance(value, BaseModel):
            yield from used_options(value)
        else:
            yield from ((key, name) for name in (value if isinstance(value, tuple) else [value]))
