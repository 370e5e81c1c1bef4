"""Audio files in folders of speakers: forms, headers, lengths, channels."""

import shutil
from pathlib import Path

import numpy as np

from support.real_inputs.cases import ALL, Words, case, of_folder, speakers
from support.speech import RATE, make_speech, write_audio
from support.spoiled_audio import (
    cut_in_half,
    forget_flac_length,
    set_wav_sizes,
    write_coded,
    write_second_channel,
)


def first(folder: Path, suffix: str = "wav") -> Path:
    return speakers(folder, suffix) / f"s0/0.{suffix}"


@case("folder", ALL)
def flac_of_a_streaming_encoder(folder: Path) -> Words:
    for path in speakers(folder, "flac").rglob("*.flac"):
        forget_flac_length(path)
    return of_folder(folder)


@case("folder", ALL)
def wav_from_a_pipe_with_sizes_of_zero(folder: Path) -> Words:
    set_wav_sizes(first(folder), 0, 0)
    return of_folder(folder)


@case("folder", ALL)
def wav_from_a_pipe_with_the_largest_sizes(folder: Path) -> Words:
    set_wav_sizes(first(folder), 0xFFFFFFFF, 0xFFFFFFFF)
    return of_folder(folder)


@case("folder", ALL)
def wav_cut_in_half(folder: Path) -> Words:
    cut_in_half(first(folder))
    return of_folder(folder)


@case("folder", ALL, r"shorter or longer than stage 0 found them, first s0-cut")
def mp3_cut_in_half(folder: Path) -> Words:
    speech = speakers(folder)
    cut_in_half(write_coded(speech / "s0/cut.mp3", 9, "MPEG_LAYER_III", kind="MP3"))
    (speech / "s0/0.wav").unlink()
    return of_folder(folder)


@case("folder", ALL - 1, r"s0-0.*unreadable")
def flac_cut_in_half(folder: Path) -> Words:
    cut_in_half(first(folder, "flac"))
    return of_folder(folder)


def shorten(data: Path) -> None:
    write_audio(data.parent / "speech/s0/0.wav", make_speech(0, 0.2))


@case("folder", ALL, r"s0-0", shorten)
def wav_replaced_by_a_shorter_one_after_stage_0(folder: Path) -> Words:
    speakers(folder)
    return of_folder(folder)


def remove(data: Path) -> None:
    (data.parent / "speech/s0/0.wav").unlink()


@case("folder", ALL - 1, r"s0-0", remove)
def wav_removed_after_stage_0(folder: Path) -> Words:
    speakers(folder)
    return of_folder(folder)


@case("folder", ALL - 1, r"0\.wav: empty file")
def an_empty_file(folder: Path) -> Words:
    first(folder).write_bytes(b"")
    return of_folder(folder)


@case("folder", ALL - 1, r"0\.wav: no samples")
def a_header_without_samples(folder: Path) -> Words:
    write_audio(first(folder), np.zeros(0, np.float32))
    return of_folder(folder)


@case("folder", ALL - 1, r"s0-0.*too short")
def a_single_sample(folder: Path) -> Words:
    write_audio(first(folder), make_speech(0)[:1])
    return of_folder(folder)


@case("folder", ALL - 1, r"0\.wav: unreadable")
def text_by_the_name_of_wav(folder: Path) -> Words:
    first(folder).write_text("<html>404 Not Found</html>")
    return of_folder(folder)


@case("folder", ALL)
def flac_by_the_name_of_wav(folder: Path) -> Words:
    path = first(folder)
    write_audio(path.with_suffix(".flac"), make_speech(0)).rename(path)
    return of_folder(folder)


@case("folder", ALL - 1, r"s0-0.*not finite")
def float_samples_that_are_no_numbers(folder: Path) -> Words:
    samples = make_speech(0)
    samples[100] = np.nan
    write_audio(first(folder), samples, subtype="FLOAT")
    return of_folder(folder)


@case("folder", ALL - 1, r"1 .*silent")
def a_silent_file(folder: Path) -> Words:
    write_audio(first(folder), np.zeros(RATE, np.float32))
    return of_folder(folder)


@case("folder", ALL, r"resampled from 8000")
def telephone_forms_of_8_khz(folder: Path) -> Words:
    path = first(folder)
    for number, subtype in enumerate(("ULAW", "ALAW", "GSM610", "IMA_ADPCM", "MS_ADPCM")):
        write_coded(path.with_name(f"{number}.wav"), number, subtype, 8000)
    return of_folder(folder)


@case("folder", ALL, r"resampled from 48000")
def other_rates(folder: Path) -> Words:
    for number, rate in enumerate((11025, 22050, 32000, 44100, 48000)):
        write_audio(first(folder).with_name(f"{number}.wav"), make_speech(0, 0.4, rate), rate)
    return of_folder(folder)


@case("folder", ALL)
def other_depths(folder: Path) -> Words:
    for number, subtype in enumerate(("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")):
        write_coded(first(folder).with_name(f"{number}.wav"), number, subtype)
    return of_folder(folder)


@case("folder", ALL + 8)
def every_form_that_soundfile_reads(folder: Path) -> Words:
    speech = speakers(folder)
    for suffix, subtype, kind in (
        ("AU", "PCM_16", "AU"), ("sph", "PCM_16", "NIST"), ("aiff", "PCM_16", "AIFF"),
        ("caf", "PCM_16", "CAF"), ("w64", "PCM_16", "W64"), ("ogg", "VORBIS", "OGG"),
        ("Opus", "OPUS", "OGG"), ("MP3", "MPEG_LAYER_III", "MP3"),
    ):  # fmt: skip
        write_coded(speech / f"s1/{kind}_{subtype}.{suffix}", 50, subtype, kind=kind)
    return of_folder(folder)


@case("folder", ALL)
def a_header_of_many_chunks(folder: Path) -> Words:
    path = first(folder)
    content = path.read_bytes()
    extra = b"LIST" + (26).to_bytes(4, "little") + b"INFOISFT" + (14).to_bytes(4, "little")
    extra += b"Lavf58.76.100\0"
    size = (len(content) + len(extra) - 8).to_bytes(4, "little")
    path.write_bytes(b"RIFF" + size + b"WAVE" + extra + content[12:])
    return of_folder(folder)


@case("folder", ALL, r"have 2 channels, the first is used")
def stereo_with_speech_on_the_first_channel(folder: Path) -> Words:
    speech = make_speech(0)
    write_audio(first(folder), np.stack([speech, 0 * speech], axis=1))
    return of_folder(folder)


def second_channels(folder: Path) -> None:
    for number, path in enumerate(sorted(speakers(folder).rglob("*.wav"))):
        write_second_channel(path, number)


@case("folder", None, r"channel")
def stereo_with_speech_on_the_second_channel(folder: Path) -> Words:
    second_channels(folder)
    return of_folder(folder)


@case("folder", ALL)
def the_second_channel_by_choice(folder: Path) -> Words:
    second_channels(folder)
    return [*of_folder(folder), "--channel", "2"]


@case("folder", 2 * ALL)
def both_sides_of_calls(folder: Path) -> Words:
    for number, path in enumerate(sorted(speakers(folder).rglob("*.wav"))):
        sides = [make_speech(2 * number + side) for side in (0, 1)]
        write_audio(path, np.stack(sides, axis=1))
    return [*of_folder(folder), "--channel", "each"]


@case("folder", None, r"ffmpeg: command not found|unreadable|[Ii]nvalid data")
def m4a_that_nothing_here_decodes(folder: Path) -> Words:
    speech = speakers(folder)
    shutil.rmtree(speech / "s4")
    for number in range(4):
        (speech / f"s{number}/x.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(99))
    return of_folder(folder)
