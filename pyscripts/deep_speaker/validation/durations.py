"""Check that the durations of utterances fit their numbers of frames."""

from pathlib import Path

from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.audio import MAX_OVERSHOOT
from deep_speaker.kaldi.tables import iterate_table
from deep_speaker.validation.tables import line_error

LONGEST_WINDOW = 0.1  # seconds: where frames lie within the samples alone, as much gives none
FRAMES = 2  # by which front ends count more: at both ends


def check_durations(folder: Path) -> None:
    """Check utt2dur by utt2num_frames and frame_shift, where a valid directory has all three.

    Front ends differ by a window and a frame or two. With `segments`, Kaldi lets an utterance end
    up to 0.5 s after its recording.

    Raises:
        ValueError: with line, utterance and remedy.
    """
    names = ("utt2dur", "utt2num_frames", "frame_shift")
    durations, counts, shift_file = (folder / name for name in names)
    if not all(path.is_file() for path in (durations, counts, shift_file)):
        return
    shift = _read_shift(shift_file)
    longer = LONGEST_WINDOW + (MAX_OVERSHOOT if (folder / "segments").is_file() else 0)
    pairs = zip(iterate_table(durations), iterate_table(counts), strict=True)
    for number, ((key, duration), (_, count)) in enumerate(pairs, 1):
        seconds = int(count) * shift
        if not -FRAMES * shift <= float(duration) - seconds <= longer + FRAMES * shift:
            raise line_error(
                durations, number,
                f"{key!r} lasts {duration} s, but its {count} frames {seconds:.2f} s: the audio "
                f"has changed, or the table is of other audio: {Stage.FEATURES.again}",
            )  # fmt: skip


def _read_shift(path: Path) -> float:
    """Read the seconds between frames."""
    text = path.read_text(encoding="utf-8").strip()
    try:
        shift = float(text)
    except ValueError:
        shift = 0
    if not 0 < shift < float("inf"):
        raise line_error(path, 1, f"{text!r} is no number of seconds: {Stage.FEATURES.again}")
    return shift
