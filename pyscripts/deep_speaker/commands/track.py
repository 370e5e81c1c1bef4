"""Tell who speaks when in a recording.

    deep-speaker track meeting.wav                             # those who are enrolled, and unknown
    deep-speaker track --cluster meeting.wav --output meeting/ # tell unknown speakers apart, too
    deep-speaker track --json meeting.wav

Prints a line for each segment. With --output, a folder gets the segments as a table (.csv) and
RTTM, a picture (.png) and a page (.html) on which a click plays a segment; each has the name of the
recording. Of several people who speak at once, one is named.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deep_speaker.commands.options import (
    PROGRAM,
    SPEAKERS,
    add_channel_option,
    add_decision_options,
    add_json_option,
    add_model_option,
    add_speakers_option,
    criterion_of,
    model_of,
    store_of,
)
from deep_speaker.commands.wording import print_json

if TYPE_CHECKING:  # slow to import
    from deep_speaker.tracking.track import Track


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("file", type=Path, help="a recording of any length")
    parser.add_argument(
        "--cluster", action="store_true", help="name unknown speakers speaker-1, speaker-2, ..."
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder to write into")
    add_speakers_option(parser)
    add_decision_options(parser)
    add_channel_option(parser)
    add_model_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> None:
    """Track a recording."""
    from deep_speaker.tracking.tracker import track

    model = model_of(options)
    enrolled = {}
    # Without a store all are unknown, unless one was asked for by name.
    if options.speakers.is_dir() or options.speakers != SPEAKERS or not options.cluster:
        store = store_of(options, model)
        enrolled = {speaker.name: speaker.vectors for speaker in store.speakers()}
    criterion = criterion_of(options)
    found = track(model, options.file, enrolled, options.cluster, criterion, options.channel)
    for warning in found.warnings:
        print(f"{PROGRAM}: warning: {options.file}: {warning}", file=sys.stderr)
    if options.json:
        segments = [segment._asdict() for segment in found.segments]
        about = {"file": str(options.file), "model": model.name, "seconds": found.seconds}
        more = {"warnings": found.warnings, "threshold": found.threshold, "segments": segments}
        print_json(about | more)
    else:
        print_segments(found)
    if options.output is not None:
        write_all(found, options.output)


def print_segments(found: "Track") -> None:
    """Print a line for each segment, and who spoke how long."""
    for start, end, speaker, score in found.segments:
        shown = "" if score is None else f"  score {score:.3f}"
        print(f"{start:9.2f} {end:9.2f}  {speaker}{shown}")
    parts = [f"{name} {seconds:.1f} s" for name, seconds in found.speakers.items()]
    print(f"Of {found.seconds:.1f} s: {', '.join(parts) or 'nobody speaks'}")


def write_all(found: "Track", folder: Path) -> None:
    """Write a track in every form."""
    from deep_speaker.tracking.picture import write_picture
    from deep_speaker.tracking.tables import write_csv, write_rttm
    from deep_speaker.tracking.timeline import write_timeline

    folder.mkdir(parents=True, exist_ok=True)
    writers = {
        ".csv": write_csv, ".rttm": write_rttm, ".png": write_picture, ".html": write_timeline,
    }  # fmt: skip
    for suffix, write in writers.items():
        write(found, folder / f"{found.audio.stem}{suffix}")
