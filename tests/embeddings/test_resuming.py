"""Stage 4 after an interruption, or a change: whole and current shards are not embedded again."""

import logging
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

import extract_embeddings
from deep_speaker.embeddings import extraction, settling, vector_shards
from deep_speaker.embeddings.extraction import Extractor, extract
from deep_speaker.kaldi.tables import read_table, write_table
from deep_speaker.networks import pace
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.system.shards import Shards, Whole
from deep_speaker.training.setup import build_trainer
from deep_speaker.validation.xvectors import validate_xvector_dir
from support.kaldi_checks import read_by_kaldiio
from support.speech import snapshot
from support.tiny_data import make_experiment, make_frames, write_experiment, write_features

CPU = torch.device("cpu")
CROPS = {"method": "crops", "num_crops": 4, "crop_frames": 30}
EXPERIMENTS = {
    "whole": make_experiment(),
    "crops": make_experiment(extraction=CROPS, scoring={"backends": ["crop_distance"]}),
}
NUM_SHARDS = 5  # of 4 of the 18 utterances


@pytest.fixture(autouse=True)
def short_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_shards, "SIZE", 4)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features, and two networks."""
    folder = tmp_path_factory.mktemp("exp")
    experiment = EXPERIMENTS["whole"]
    data_dir = write_features(folder / "data", make_frames(6, 3), experiment)
    trainer = build_trainer(experiment, "pretraining", data_dir, None, CPU)
    for name in ("best.pt", "other.pt"):
        trainer.train_epoch(0, [])
        save_checkpoint(folder / name, trainer.checkpoint(1, []))
    return folder


@pytest.fixture(params=EXPERIMENTS)
def extractor(prepared: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Extractor:
    folder = tmp_path / "exp"
    shutil.copytree(prepared, folder)
    for name in ("feats", "vad", "utt_cmvn"):
        scp = folder / f"data/{name}.scp"
        scp.write_text(scp.read_text().replace(str(prepared), str(folder)))
    return Extractor(folder / "best.pt", folder / "data", EXPERIMENTS[request.param], CPU)


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of shards that each call embeds."""
    numbers: list[int] = []
    embed_parts = extraction.embed_parts

    def note_and_embed(extractor, parts, *others):  # type: ignore[no-untyped-def]
        some = list(parts)
        numbers.append(len(some))
        return embed_parts(extractor, some, *others)

    monkeypatch.setattr(extraction, "embed_parts", note_and_embed)
    return numbers


def all_but_records(folder: Path) -> dict[str, bytes | None]:
    """All of an x-vector directory but the records, which hold times."""
    files = snapshot(folder).items()
    return {name: data for name, data in files if not name.startswith("shards/") or "ark" in name}


def keep_until(last: int, end: Callable[[], None]) -> Callable[..., Whole]:
    """`Shards.keep`, in whose place something else happens at the shard `last`."""
    keep = Shards.keep

    def keep_or_end(work, number, *arguments) -> Whole:  # type: ignore[no-untyped-def]
        if number == last:
            end()
        return keep(work, number, *arguments)

    return keep_or_end


def fail() -> None:
    raise KeyboardInterrupt


def extract_and_die(extractor: Extractor, output: Path, last: int) -> None:
    """Extract in a group of processes that is killed before a shard is whole."""
    os.setsid()
    Shards.keep = keep_until(last, lambda: os.killpg(0, signal.SIGKILL))  # type: ignore[method-assign]
    extract({output: extractor}, 2)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("how", ["killed", "failed"])
def test_extraction_goes_on_where_it_was_interrupted(
    extractor: Extractor, embedded: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    caplog: pytest.LogCaptureFixture, device: str, how: str,
) -> None:  # fmt: skip
    """With the same results, bit for bit; on a GPU, by its way gone here on the CPU."""
    monkeypatch.setattr(extraction, "in_processes", lambda _: device == "cpu")
    output = tmp_path / "x"
    extract({output: extractor}, 1)
    expected = all_but_records(output)
    shutil.rmtree(output)
    if how == "killed":
        process = get_context("fork").Process(target=extract_and_die, args=(extractor, output, 4))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    else:
        with monkeypatch.context() as patch:
            patch.setattr(Shards, "keep", keep_until(4, fail))
            with pytest.raises(KeyboardInterrupt):
                extract({output: extractor}, 2)
    assert not output.exists()
    embedded.clear()
    with caplog.at_level(logging.INFO):
        extract({output: extractor}, 2)
        extract({output: extractor}, 1)
    assert embedded == [NUM_SHARDS - 3]
    assert [line for line in caplog.messages if "current" in line] == [
        f"{output}: {count} of 5 shards are whole and current" for count in (3, 5)
    ]
    assert all_but_records(output) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exp", "x"]
    validate_xvector_dir(output)


def other_network(extractor: Extractor, output: Path) -> Extractor:
    return replace(extractor, checkpoint=extractor.checkpoint.with_name("other.pt"))


def same_network_elsewhere(extractor: Extractor, output: Path) -> Extractor:
    copy = shutil.copy(extractor.checkpoint, output.with_name("copy.pt"))
    return replace(extractor, checkpoint=Path(copy))


def other_extraction(extractor: Extractor, output: Path) -> Extractor:
    experiment = extractor.experiment
    changed = experiment.extraction.model_copy(update={"max_frames": 50, "num_crops": 3})
    return replace(extractor, experiment=experiment.model_copy(update={"extraction": changed}))


def other_features(extractor: Extractor, output: Path) -> Extractor:
    for name in ("feats", "vad", "utt_cmvn"):
        scp = extractor.data_dir / f"{name}.scp"
        table = read_table(scp)
        write_table(scp, table | {"s01-2": table["s02-2"]})
    return extractor


def other_ark(extractor: Extractor, output: Path) -> Extractor:
    path = extractor.data_dir / "feats.ark"
    path.write_bytes(path.read_bytes()[:-4] + bytes(4))
    return extractor


def no_record(extractor: Extractor, output: Path) -> Extractor:
    (output / "shards/2.json").unlink()
    return extractor


def damaged_vectors(extractor: Extractor, output: Path) -> Extractor:
    path = output / "xvector.ark"
    path.write_bytes(path.read_bytes()[:-4] + bytes(4))
    return extractor


def no_table(extractor: Extractor, output: Path) -> Extractor:
    (output / "xvector.scp").unlink()
    (output / "spk_xvector.ark").write_bytes(b"")
    return extractor


def other_speaker(extractor: Extractor, output: Path) -> Extractor:
    table = read_table(extractor.data_dir / "utt2spk")
    write_table(extractor.data_dir / "utt2spk", table | {"s01-2": "s02"})
    return extractor


CHANGES: dict[str, tuple[Callable[[Extractor, Path], Extractor], int]] = {
    "another network": (other_network, NUM_SHARDS),
    "the same network in another place": (same_network_elsewhere, 0),
    "extraction": (other_extraction, NUM_SHARDS),
    "features of an utterance": (other_features, 1),
    "an ark of features": (other_ark, NUM_SHARDS),
    "a record that is gone": (no_record, 1),
    "damaged vectors": (damaged_vectors, NUM_SHARDS),
    "tables that are gone": (no_table, 0),
    "the speaker of an utterance": (other_speaker, 0),
}


@pytest.mark.parametrize("what", CHANGES)
def test_just_what_changed_is_embedded_again(
    extractor: Extractor, embedded: list[int], tmp_path: Path, what: str
) -> None:
    change, count = CHANGES[what]
    extract({tmp_path / "x": extractor}, 1)
    changed = change(extractor, tmp_path / "x")
    embedded.clear()
    extract({tmp_path / "x": changed}, 1)
    assert sum(embedded) == count
    extract({tmp_path / "fresh": changed}, 1)
    names = ["xvector", "spk_xvector"]
    for name in names:
        found = read_by_kaldiio(tmp_path / f"x/{name}.scp")
        expected = read_by_kaldiio(tmp_path / f"fresh/{name}.scp")
        assert list(found) == list(expected)
        assert all(np.array_equal(found[key], expected[key]) for key in expected)
    validate_xvector_dir(tmp_path / "x")


@pytest.mark.parametrize("extractor", ["whole"], indirect=True)
def test_the_precision_of_what_is_kept_is_kept(
    extractor: Extractor, tmp_path: Path, embedded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial may choose another one each time; --precision is obeyed."""
    config = write_experiment(tmp_path / "tiny.yaml", extractor.experiment)
    for module in (pace, settling):
        monkeypatch.setattr(module, "has_bfloat16", lambda device: True)

    def run_where_slow(slow: str, *words: str) -> list[int]:
        monkeypatch.setattr(pace, "time_step", lambda each, step: 1.0 + (each.precision == slow))
        command = f"--config {config} --device cpu --nj 1 --also {extractor.checkpoint}"
        command += f" {tmp_path}/b {extractor.checkpoint} {tmp_path}/a {extractor.data_dir}"
        monkeypatch.setattr("sys.argv", ["extract_embeddings.py", *words, *command.split()])
        embedded.clear()
        extract_embeddings.main()
        return embedded

    assert run_where_slow("bfloat16") == [NUM_SHARDS] * 2
    with monkeypatch.context() as patch:
        patch.setattr(Shards, "keep", keep_until(3, fail))
        with pytest.raises(KeyboardInterrupt):
            run_where_slow("bfloat16", "--precision", "bfloat16")
    assert run_where_slow("bfloat16") == [NUM_SHARDS - 2, NUM_SHARDS]
    assert run_where_slow("bfloat16") == []
    assert run_where_slow("bfloat16", "--precision", "float32") == [NUM_SHARDS] * 2
