"""Entries of wav.scp: paths, commands that print WAV and end in `|`, and places in archives.

`wav_entry` writes the entry of a channel of a file; `file_of_entry` and `channel_of_entry` find the
file and the channel behind such an entry, so that audio can be decoded here without the shell that
Kaldi would run. Code counts channels from 0; what people read and write, from 1, as sox does.
`x.ark:123` is audio in an archive from byte 123 on, of which the first channel is heard.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

# Files that libsndfile decodes, but those without a header; and files that only ffmpeg does.
SNDFILE_SUFFIXES = {
    ".wav", ".wave", ".bwf", ".riff", ".wavex", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus",
    ".mp1", ".mp2", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".sph", ".nist",
    ".voc", ".svx", ".8svx", ".iff", ".ircam", ".sf", ".avr", ".htk", ".mat4", ".mat5", ".mpc2k",
    ".paf", ".pvf", ".sd2", ".sds", ".wve", ".xi",
}  # fmt: skip
FFMPEG_SUFFIXES = {".m4a", ".aac", ".mp4"}
# Files that a folder of recordings is searched for, in any case.
AUDIO_SUFFIXES = SNDFILE_SUFFIXES | FFMPEG_SUFFIXES
# Files that may hold speech too, and are not read: the user is told of them.
UNREAD_SUFFIXES = {
    ".3g2", ".3gp", ".aax", ".ac3", ".alaw", ".amr", ".ape", ".avi", ".awb", ".ds2", ".dss", ".dts",
    ".eac3", ".flv", ".g722", ".g729", ".gsm", ".m4b", ".m4p", ".mka", ".mkv", ".mov", ".mpc",
    ".mpeg", ".mpg", ".pcm", ".qcp", ".ra", ".raw", ".rm", ".shn", ".sln", ".spx", ".tta", ".ulaw",
    ".vox", ".webm", ".wma", ".wmv", ".wv", ".wv1", ".wv2",
}  # fmt: skip
FLAC_COMMAND = ["flac", "-c", "-d", "-s"]
FFMPEG_COMMAND = ["ffmpeg", "-v", "error", "-i"]
FFMPEG_OUTPUT = ["-f", "wav", "-acodec", "pcm_s16le", "-"]
ARCHIVED = re.compile(r"(.+):([0-9]+)")
FFMPEG_CHANNEL = ["-af", "pan=mono|c0=c{}"]  # before the output: one channel alone, from 0
FFMPEG_ENDING = re.compile(rf"(-af pan=mono\|c0=c(?P<channel>\d+) )?{' '.join(FFMPEG_OUTPUT)}")
UNPLAIN = re.compile(r"""['"\\]|[^\S \t\r\n]""")  # without these, shlex splits as str does, slowly
SHELL_SYNTAX = re.compile(r"""[]$`*?[{}~<>;&()|#!'"\\\n]""")


@dataclass(frozen=True)
class AudioInfo:
    """The header of an audio file.

    Attributes:
        format, subtype: libsndfile's names of the form of the file, and of its samples.
        plain: libsndfile by itself knows the file's length, and can seek in it.
    """

    sampling_rate: int
    num_samples: int
    num_channels: int
    format: str
    subtype: str
    plain: bool = True

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.num_samples / self.sampling_rate


def wav_entry(path: Path, info: AudioInfo, channel: int = 0) -> str:
    """Return the entry of wav.scp by which Kaldi's programs read a channel of `path`.

    Kaldi itself reads only 16-bit WAV, of which it takes the first channel; another channel, a FLAC
    or other file becomes a command that prints such.
    """
    absolute = str(path.absolute())
    if channel:
        return ffmpeg_entry(absolute, channel)
    if path.suffix.lower() in FFMPEG_SUFFIXES:  # its info may be that of what ffmpeg prints
        return ffmpeg_entry(absolute)
    if info.format in ("WAV", "WAVEX") and info.subtype == "PCM_16":
        return absolute
    if info.format == "FLAC" and info.subtype == "PCM_16":
        return shlex.join([*FLAC_COMMAND, absolute]) + " |"
    return ffmpeg_entry(absolute)


def ffmpeg_entry(path: str, channel: int = 0) -> str:
    """Return the command that decodes a file by ffmpeg: all channels, or one after the first."""
    chosen = [word.format(channel) for word in FFMPEG_CHANNEL] if channel else []
    return shlex.join([*FFMPEG_COMMAND, path, *chosen, *FFMPEG_OUTPUT]) + " |"


def archive_of_entry(entry: str) -> tuple[Path, int] | None:
    """Return the archive and the byte of an entry such as Kaldi's wav-copy writes; None of others.

    >>> archive_of_entry("/speech/wav.1.ark:123")[1]
    123
    >>> archive_of_entry("/speech/a.wav")
    """
    if not entry[-1:].isdigit():
        return None  # the rest would find that out too, slowly
    match = ARCHIVED.fullmatch(entry)
    return (Path(match[1]), int(match[2])) if match else None


def file_of_entry(entry: str) -> Path | None:
    """Return the audio file behind an entry that `wav_entry` could write; None of others.

    Audio in an archive is none: see `archive_of_entry`.

    >>> file_of_entry("flac -c -d -s /speech/a.flac |").as_posix()
    '/speech/a.flac'
    >>> file_of_entry("sph2pipe -f wav /speech/a.sph |")
    """
    return _parse(entry)[0]


def channel_of_entry(entry: str) -> int:
    """Return which channel of what `file_of_entry` finds, or else of its output, an entry means.

    >>> channel_of_entry(ffmpeg_entry("/speech/call.wav", 1))
    1
    """
    return _parse(entry)[1] if FFMPEG_CHANNEL[0] in entry else 0  # to parse takes long


def _parse(entry: str) -> tuple[Path | None, int]:
    """Return the file and the channel behind an entry; None and 0 of a command of others."""
    if not entry.endswith("|"):
        return (None if archive_of_entry(entry) else Path(entry)), 0
    command = entry.removesuffix("|").strip()
    if not command.startswith((FLAC_COMMAND[0], FFMPEG_COMMAND[0])):
        return None, 0  # the rest would find that out too, slowly
    try:
        words = shlex.split(command) if UNPLAIN.search(command) else command.split()
    except ValueError:  # a quotation without an end: let the shell complain
        return None, 0
    if SHELL_SYNTAX.search(command) and command != shlex.join(words):
        return None, 0  # a shell may expand it to another path
    if words[:-1] == FLAC_COMMAND:
        return Path(words[-1]), 0
    place = len(FFMPEG_COMMAND)
    chosen = FFMPEG_ENDING.fullmatch(" ".join(words[place + 1 :]))
    if words[:place] == FFMPEG_COMMAND and chosen:
        return Path(words[place]), int(chosen["channel"] or 0)
    return None, 0


def runs_shell(entry: str) -> bool:
    """Tell whether an entry is a command that only a shell can run, not one of `wav_entry`.

    >>> runs_shell("sph2pipe -f wav /speech/a.sph |"), runs_shell("flac -c -d -s /speech/a.flac |")
    (True, False)
    """
    return entry.endswith("|") and file_of_entry(entry) is None


def state_of_entry(entry: str) -> object:
    """Return what tells whether an entry's audio is still the same, without reading it.

    The size and time of the file, or of the archive; of a command those of all files that it names.
    None where there are none.
    """
    archived = archive_of_entry(entry)
    path = archived[0] if archived else file_of_entry(entry)
    if path is not None:
        return state_of_file(path)
    states = [(word, state_of_file(Path(word))) for word in sorted(set(_split_command(entry)))]
    return [(word, state) for word, state in states if state] or None


def _split_command(entry: str) -> list[str]:
    words = shlex.shlex(entry, posix=True, punctuation_chars=True)  # the < of <a.sph is no name's
    words.whitespace_split, words.commenters = True, ""
    try:
        return list(words)
    except ValueError:  # a quotation without an end
        return entry.split()


def state_of_file(path: Path) -> tuple[int, int] | None:
    """Return the size and the time of a file; None of what is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return (status.st_size, status.st_mtime_ns) if S_ISREG(status.st_mode) else None
