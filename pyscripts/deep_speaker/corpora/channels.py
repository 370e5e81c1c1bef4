"""Channels of recordings: which of them become utterances (stage 0)."""

import argparse
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from deep_speaker.corpora.recordings import read_infos
from deep_speaker.kaldi.wav_entries import AudioInfo
from deep_speaker.system.command import positive_int

EACH = "each"


def add_channel_option(parser: argparse.ArgumentParser) -> None:
    """Add --channel: a number from 1, as sox counts, or `each`."""
    parser.add_argument(
        "--channel",
        type=_channel,
        default=1,
        metavar="N|each",
        help="channel to hear, counted from 1 as sox does (default 1); each: every channel as a "
        "recording and a speaker of its own",
    )


def _channel(text: str) -> int | str:
    return text if text == EACH else positive_int(text)


def read_channels(
    paths: Iterable[Path], num_jobs: int, chosen: int | str
) -> Iterator[tuple[Path, AudioInfo, int]]:
    """Yield audio files with their headers and each channel of --channel, from 0.

    Files of one channel are heard on that. Files that are bad, or of several channels without the
    one that is chosen, are logged and left out; see `read_infos`.
    """
    num_files = num_mono = 0
    for path, info in read_infos(paths, num_jobs, 1 if chosen == EACH else int(chosen)):
        num_files += 1
        num_mono += info.num_channels == 1
        one = [min(int(chosen), info.num_channels) - 1] if chosen != EACH else []
        for channel in one or range(info.num_channels):
            yield path, info, channel
    if num_mono and chosen != 1:
        how = "count as first sides" if chosen == EACH else "are heard on that"
        logging.warning(
            "--channel %s: %d of %d files have one channel, and %s",
            chosen, num_mono, num_files, how,
        )  # fmt: skip
