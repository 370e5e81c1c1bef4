"""Audio in archives, and the commands by which other programs read odd files."""

import io
import subprocess
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import soundfile

from deep_speaker.kaldi.audio import load_audio, read_entry_info, read_info
from deep_speaker.kaldi.audio_commands import printing_command
from deep_speaker.kaldi.file_parts import Part
from deep_speaker.kaldi.wav_entries import wav_entry
from support.odd_audio import open_wav, unmeasured_flac
from support.speech import RATE, make_speech, write_audio
from support.wav_archives import write_kaldiio_archive, write_wav_archive

WRITERS = {
    "wav-copy": lambda path, speech: write_wav_archive(path, speech),
    "kaldiio": lambda path, speech: write_kaldiio_archive(path, speech, None),
    "kaldiio wav": lambda path, speech: write_kaldiio_archive(path, speech, "wav"),
    "kaldiio flac": lambda path, speech: write_kaldiio_archive(path, speech, "flac"),
}


@pytest.fixture
def speech() -> dict[str, np.ndarray]:
    return {
        f"spk-{i}": np.rint(make_speech(i, 1 + i / 10) * 32768).astype(np.int16) for i in range(4)
    }


@pytest.mark.parametrize("writer", WRITERS)
def test_audio_in_archives_is_read_from_its_byte_on(
    tmp_path: Path, speech: dict[str, np.ndarray], writer: str
) -> None:
    entries = WRITERS[writer](tmp_path / "it's all.ark", speech)
    for key, entry in entries.items():
        samples, info = load_audio(entry, RATE)
        np.testing.assert_array_equal(samples, speech[key])
        assert info == read_entry_info(entry)
        assert (info.sampling_rate, info.num_samples, info.num_channels) == (
            RATE, len(speech[key]), 1
        )  # fmt: skip
        part, _ = load_audio(entry, RATE, 0.25, 0.5)
        np.testing.assert_array_equal(part, speech[key][4000:8000])
        np.testing.assert_array_equal(kaldiio.load_mat(entry)[1].astype(np.float32) * (
            32768 if writer in ("kaldiio wav", "kaldiio flac") else 1), speech[key])  # fmt: skip


@pytest.mark.parametrize("writer", WRITERS)
def test_a_command_prints_audio_of_archives(
    tmp_path: Path, speech: dict[str, np.ndarray], writer: str
) -> None:
    for key, entry in WRITERS[writer](tmp_path / "it's all.ark", speech).items():
        command = printing_command(entry, read_entry_info(entry)) or ""
        printed = subprocess.run(command, shell=True, check=True, capture_output=True).stdout
        samples, rate = soundfile.read(io.BytesIO(printed), dtype="int16")
        assert rate == RATE
        np.testing.assert_array_equal(samples, speech[key])


def test_what_is_no_audio_in_an_archive_is_one_line(tmp_path: Path) -> None:
    kaldiio.save_ark(str(tmp_path / "a.ark"), {"key": np.ones((3, 4), np.float32)})
    for entry in (f"{tmp_path}/a.ark:4", f"{tmp_path}/a.ark:4000", f"{tmp_path}/gone.ark:4"):
        for read in (read_entry_info, lambda entry: load_audio(entry, RATE)):
            with pytest.raises(ValueError, match=r"^unreadable: .") as error:
                read(entry)
            assert "\n" not in str(error.value)


def test_any_reader_of_wav_reads_a_wav_of_open_length_through_a_command(tmp_path: Path) -> None:
    path = open_wav(tmp_path / "it's.wav")
    info = read_info(path)
    assert wav_entry(path, info) == str(path)  # which Kaldi reads to its end
    printed = subprocess.run(
        printing_command(str(path), info) or "", shell=True, check=True, capture_output=True
    ).stdout
    samples, _ = soundfile.read(io.BytesIO(printed), dtype="int16")
    np.testing.assert_array_equal(samples, load_audio(str(path), RATE)[0])


def test_files_are_read_through_commands_where_libsndfile_needs_help(tmp_path: Path) -> None:
    plain = write_audio(tmp_path / "a.flac", make_speech(0))
    assert printing_command(wav_entry(plain, read_info(plain)), read_info(plain)) is None
    open_ended = unmeasured_flac(tmp_path / "b.flac")
    info = read_info(open_ended)
    assert printing_command(wav_entry(open_ended, info), info) == f"flac -c -d -s {open_ended}"
    assert printing_command("sph2pipe a.sph |", info) == "sph2pipe a.sph"


def test_a_part_is_a_file_of_its_own() -> None:
    content = bytes(range(200))
    part = Part(io.BytesIO(content), 50, 150, b"head")
    expected = io.BytesIO(b"head" + content[54:150])
    for offset, whence, count in ((0, 0, 10), (-3, 1, 7), (2, 0, 1), (-5, 2, 50), (300, 0, 5)):
        assert part.seek(offset, whence) == expected.seek(offset, whence) == part.tell()
        assert part.read(count) == expected.read(count)
    assert len(Part(io.BytesIO(content), 190).read()) == 10
    assert Part(io.BytesIO(content), 300).read() == b""
