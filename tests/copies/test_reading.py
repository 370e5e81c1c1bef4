"""Copies of recordings that Lhotse alone could not read, or whose headers are wrong."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import CutSet
from lhotse.audio.backend import get_current_audio_backend

from deep_speaker.copies.mixing import as_cut
from deep_speaker.copies.reading import load_cut, with_commands
from deep_speaker.copies.writing import write_copies
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.audio import load_audio, read_entry_info, read_info
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from support.odd_audio import cut_in_half, forget_length, gsm, open_wav, unmeasured_flac
from support.speech import RATE, make_speech, write_audio
from support.tiny_data import make_experiment
from support.wav_archives import write_wav_archive

OPTIONS = {"kinds": ["reverberation", "noise"], "copies_per_utterance": 2, "speeds": [0.9]}


@pytest.fixture
def train_dir(tmp_path: Path) -> Path:
    """After stage 1: odd recordings, segments that nobody can seek, and a halved MP3."""
    speech = np.rint(make_speech(1, 1) * 32768).astype(np.int16)
    (archived,) = write_wav_archive(tmp_path / "a.ark", {"spk": speech}).values()
    paths = [unmeasured_flac(tmp_path / "a.flac"), open_wav(tmp_path / "a.wav")]
    halved = write_audio(tmp_path / "a.mp3", make_speech(2, 3), subtype="MPEG_LAYER_III")
    entries = [archived, *(wav_entry(path, read_info(path)) for path in [*paths, halved])]
    made = [
        Utterance(f"s{i}-0", f"s{i}", entry, read_entry_info(entry))
        for i, entry in enumerate(entries)
    ]
    path = gsm(tmp_path / "b.wav")
    info = read_info(path)
    made += [
        Utterance(f"t-{i}", "t", wav_entry(path, info), info, None, None, segment)
        for i, segment in enumerate([Segment("gsm", 0.2, 0.9), Segment("gsm", 0.5, 1.9)])
    ]
    write_data_dir(tmp_path / "c/train", made)
    cut_in_half(halved)
    compute_data_dir(tmp_path / "c/train", make_experiment(), 1)
    assert not (tmp_path / "c/train/bad_utterances").exists()
    return tmp_path / "c/train"


def test_copies_are_as_long_as_their_originals(
    train_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copies = train_dir.with_name("train_copies")
    write_copies(train_dir, copies, make_experiment(augmented_copies=OPTIONS), (None, None), 1)
    assert not caplog.messages
    lengths, found = read_table(train_dir / "utt2dur"), read_table(copies / "utt2dur")
    assert len(found) == 3 * 6
    for key, original in read_table(copies / "utt2uniq").items():
        speed = 0.9 if key.startswith("sp") else 1
        expected = float(lengths[original]) / speed
        assert float(found[key]) == pytest.approx(expected, abs=2 / RATE)
    samples, _ = load_audio(read_table(copies / "wav.scp")["s0-0-noise"], RATE)
    clean, _ = load_audio(read_table(train_dir / "wav.scp")["s0-0"], RATE)
    assert np.corrcoef(samples, clean)[0, 1] > 0.5


def test_the_channel_that_is_heard_is_mixed(tmp_path: Path) -> None:
    """Of what Lhotse by itself would read through a command, too."""
    sides = np.stack([make_speech(1, 1), make_speech(2, 1)], axis=1)
    path = forget_length(write_audio(tmp_path / "a.flac", sides))
    info = read_info(path)
    assert not info.plain
    cut = as_cut(Utterance("a-0", "a", wav_entry(path, info, 1), info), RATE)
    assert load_cut(cut) == pytest.approx(sides[:, 1], abs=1e-4)
    (source,) = with_commands(cut.to_dict())["recording"]["sources"]
    assert source["type"] == "command"
    assert "pan=" not in source["source"]  # it prints both, of which the cut names one


def test_lhotse_itself_mixes_them_anew_through_commands(train_dir: Path) -> None:
    copies = train_dir.with_name("train_copies")
    write_copies(train_dir, copies, make_experiment(augmented_copies=OPTIONS), (None, None), 1)
    assert type(get_current_audio_backend()).__name__ == "CompositeAudioBackend"
    entries = read_table(copies / "wav.scp")
    cuts = CutSet.from_file(train_dir.parent / "manifests/c_cuts_train_copies.jsonl.gz")
    seen = 0
    for cut in cuts:
        if "s0-0" in cut.id or "s2-0" in cut.id:  # others take flac or ffmpeg
            written = soundfile.read(entries[cut.id])[0]
            assert cut.load_audio()[0] == pytest.approx(written, abs=2 / 32768)
            seen += 1
    assert seen == 6
