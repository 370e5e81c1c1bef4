"""Kaldi's own reading code and kaldiio read, alike, every table and ark that the project writes."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.copies.joining import adopt_voice_activity, join_data_dirs, write_record
from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.embeddings.xvectors import fill_xvectors
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.archives import ArchiveWriter
from deep_speaker.kaldi.data_dir import write_data_dir, write_spk2utt
from deep_speaker.kaldi.tables import write_table
from deep_speaker.trials.models import write_models
from support.kaldi_checks import read_all
from support.speech import EXPERIMENT, make_utterances
from support.tiny_xvectors import write_crops

TABLES = ("utt2spk", "utt2dur", "utt2num_frames", "feats.scp", "vad.scp", "utt_cmvn.scp")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Three speakers with two utterances, features, and a model of two utterances."""
    utterances = sorted(make_utterances(tmp_path / "audio"), key=lambda item: item.id)
    folder = tmp_path / "data/test"
    write_data_dir(folder, utterances)
    write_manifests(folder, utterances)
    compute_data_dir(folder, EXPERIMENT, 2)
    write_models(folder, {"model": [item.id for item in utterances[:2]]})
    return folder


def test_a_data_directory_is_read_alike_by_all(data_dir: Path) -> None:
    counts = read_all(data_dir)
    assert dict.fromkeys(TABLES, 6).items() <= counts.items()
    assert counts["spk2utt"] == counts["spk2gender"] == 3
    assert counts["enroll_spk2utt"] == 1
    for name in ("feats", "vad", "utt_cmvn"):
        assert counts[f"fbank/{name}.1.ark"] == 6


def test_adopted_voice_activity_is_read_alike_by_all(data_dir: Path, tmp_path: Path) -> None:
    copies = tmp_path / "data/copies"
    utterances = sorted(make_utterances(tmp_path / "audio", "copy"), key=lambda item: item.id)
    write_data_dir(copies, utterances)
    write_manifests(copies, utterances)
    compute_data_dir(copies, EXPERIMENT, 1)
    originals = {item.id: item.id.replace("copy", "spk") for item in utterances}
    write_table(copies / "utt2uniq", originals)
    adopt_voice_activity(copies, data_dir, 1)
    write_record(copies, {})
    join_data_dirs(tmp_path / "data/joined", data_dir, copies)
    assert read_all(copies)["fbank/utt_cmvn.adopted.1.ark"] == 6
    assert (
        dict.fromkeys([*TABLES, "utt2uniq"], 12).items()
        <= read_all(tmp_path / "data/joined").items()
    )


def test_an_x_vector_directory_with_crops_is_read_alike_by_all(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    crops = {f"{speaker}-{i}": rng.normal(size=(5, 8)) for speaker in "abc" for i in range(2)}
    utt2spk = {key: key[0] for key in crops}
    floats = [(key, value.astype(np.float32)) for key, value in crops.items()]
    vectors = write_crops(tmp_path, floats)
    fill_xvectors(tmp_path, tmp_path, sorted(vectors.items()), utt2spk)
    write_spk2utt(tmp_path / "spk2utt", sorted(utt2spk.items()))
    expected = {"num_utts.ark": 3, "spk2utt": 3}
    expected |= {f"spk_xvector.{form}": 3 for form in ("ark", "scp")}
    expected |= {f"xvector{kind}.{f}": 6 for kind in ("", "_crops") for f in ("ark", "scp")}
    assert read_all(tmp_path) == expected


def test_read_all_sees_what_kaldi_refuses_and_what_it_does_not_know(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "vad.ark") as writer:
        writer.write("a-1", np.ones(3, np.float32))
        writer.write("a-2", np.ones(3, np.int32))
    with pytest.raises(AssertionError):
        read_all(tmp_path)
    (tmp_path / "vad.ark").rename(tmp_path / "other.ark")
    with pytest.raises(KeyError, match="other"):
        read_all(tmp_path)
