"""Entries of wav.scp: those of files, and the files behind entries."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from deep_speaker.kaldi.audio import load_audio, read_info
from deep_speaker.kaldi.wav_entries import (
    AUDIO_SUFFIXES,
    FFMPEG_SUFFIXES,
    SNDFILE_SUFFIXES,
    UNREAD_SUFFIXES,
    AudioInfo,
    channel_of_entry,
    file_of_entry,
    state_of_entry,
    wav_entry,
)
from support.speech import make_speech, write_audio

NAMES = ["plain.flac", "two words.flac", 'it\'s $(touch x) `y` "z" & ; |.flac', "é李 -a.flac"]


def test_what_kaldi_reads_itself_stands_as_a_path_and_all_else_as_a_command(
    tmp_path: Path,
) -> None:
    samples = make_speech(0)
    for name, subtype, program in [
        ("a.wav", "PCM_16", ""),
        ("a.flac", "PCM_16", "flac"),
        ("b.flac", "PCM_24", "ffmpeg"),
        ("b.wav", "PCM_24", "ffmpeg"),
        ("c.wav", "FLOAT", "ffmpeg"),
        ("d.wav", "PCM_U8", "ffmpeg"),
        ("e.ogg", "VORBIS", "ffmpeg"),
        ("f.aiff", "PCM_16", "ffmpeg"),
    ]:
        path = write_audio(tmp_path / name, samples, subtype=subtype)
        entry = wav_entry(path, read_info(path))
        assert entry == str(path) if not program else entry.startswith(f"{program} -")
        assert entry.endswith("|") == bool(program)
        loaded, _ = load_audio(entry, 16000)
        assert np.corrcoef(loaded, samples)[0, 1] > 0.95
        assert np.std(loaded) == pytest.approx(32768 * np.std(samples), rel=0.05)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("info", [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
@pytest.mark.parametrize("channel", [0, 1, 11])
def test_an_entry_leads_back_to_its_file_for_us_and_for_a_shell(
    tmp_path: Path, name: str, info: tuple[str, str], channel: int
) -> None:
    path = tmp_path / name
    entry = wav_entry(path, AudioInfo(16000, 1, 12, *info), channel)
    if info[0] == "WAV":
        name = name.replace("flac", "wav")
    assert (file_of_entry(entry), channel_of_entry(entry)) == (path, channel)
    if entry.endswith("|"):
        program = entry.split()[0]
        bin_folder = tmp_path / "bin"
        bin_folder.mkdir()
        (bin_folder / program).write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        (bin_folder / program).chmod(0o755)
        # Kaldi hands what stands before the bar to popen, which is this.
        run = subprocess.run(
            ["/bin/sh", "-c", entry.removesuffix("|")],
            env={"PATH": f"{bin_folder}:{os.environ['PATH']}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert str(path) in run.stdout.splitlines()
        assert (f"pan=mono|c0=c{channel}" in run.stdout.splitlines()) == (channel > 0)
        assert not run.stderr
        assert [item.name for item in tmp_path.iterdir()] == ["bin"]


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ("flac -c -d -s /speech/a.flac |", "/speech/a.flac"),
        ("flac -c -d -s  /speech/é.flac|", "/speech/é.flac"),
        ("flac -c -d -s '/my speech/a.flac' |", "/my speech/a.flac"),
        ("ffmpeg -v error -i a.m4a -f wav -acodec pcm_s16le - |", "a.m4a"),
        ("ffmpeg -v error -i a.wav -af 'pan=mono|c0=c1' -f wav -acodec pcm_s16le - |", "a.wav"),
        ("ffmpeg -v error -i a.wav -af pan=mono|c0=c1 -f wav -acodec pcm_s16le - |", None),
        ("ffmpeg -v error -i a.wav -af 'pan=mono|c0=c1+c2' -f wav -acodec pcm_s16le - |", None),
        ("ffmpeg -v error -i a.wav -af volume=2 -f wav -acodec pcm_s16le - |", None),
        ("sph2pipe -f wav -p a.sph |", None),
        ("flac -c -d -s a.flac; touch hacked |", None),
        ("flac -c -d -s a.flac;touch |", None),
        ("flac -c -d -s $SPEECH/a.flac |", None),
        ("flac -c -d -s *.flac |", None),
        ("flac -c -d -s a.flac | sox - -t wav - |", None),
        ("flac -c -d -s a.flac b.flac |", None),
        ("flac -c -d -s |", None),
        ("flac -c -d -s 'a |", None),
        ("|", None),
    ],
)
def test_only_what_a_shell_would_do_the_same_with_is_a_file(entry: str, path: str | None) -> None:
    assert file_of_entry(entry) == (path and Path(path))
    assert channel_of_entry(entry) == (path == "a.wav")


def test_the_suffixes_searched_for_are_of_all_forms_that_libsndfile_knows_by_a_header() -> None:
    formats = {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"}
    assert formats <= SNDFILE_SUFFIXES
    assert not FFMPEG_SUFFIXES & SNDFILE_SUFFIXES
    assert not UNREAD_SUFFIXES & AUDIO_SUFFIXES


def test_the_state_of_an_entry_is_that_of_the_files_it_names(tmp_path: Path) -> None:
    """A file, an archive, and what a command reads: changed where one of them is."""
    path = tmp_path / "a b.sph"
    entries = [
        str(path),
        f"{path}:12",
        f"flac -c -d -s '{path}' |",
        f"sph2pipe -f wav '{path}' |",
        f"sox -t sph - -t wav - <'{path}'|",
    ]
    assert [state_of_entry(entry) for entry in entries] == [None] * 5
    path.write_bytes(b"one")
    before = [state_of_entry(entry) for entry in entries]
    assert all(before)
    assert [state_of_entry(entry) for entry in entries] == before
    path.write_bytes(b"three")
    assert all(state_of_entry(entry) != old for entry, old in zip(entries, before, strict=True))
    assert state_of_entry("cat 'unfinished |") is None
