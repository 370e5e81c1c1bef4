"""Durations that do not fit the numbers of frames are refused, and no others."""

from pathlib import Path

import pytest

from deep_speaker.validation.durations import check_durations


def write(folder: Path, seconds: float, frames: int, shift: str = "0.01") -> Path:
    (folder / "utt2dur").write_text(f"a-0 1.0\na-1 {seconds}\n")
    (folder / "utt2num_frames").write_text(f"a-0 {round(1 / float(shift))}\na-1 {frames}\n")
    (folder / "frame_shift").write_text(f"{shift}\n")
    return folder


@pytest.mark.parametrize(
    ("seconds", "frames", "shift"),
    [
        (2.0, 200, "0.01"),
        (2.004, 200, "0.01"),
        (2.0, 198, "0.01"),  # Kaldi's, with its edges snipped
        (2.0, 197, "0.01"),  # a spectrogram of 32 ms that is not centred
        (2.0, 201, "0.01"),  # centred, or zeros at its end
        (2.0, 67, "0.03"),  # three frames stacked
        (0.02, 1, "0.01"),
        (36000.0, 3600000, "0.01"),
    ],
)
def test_what_front_ends_give_fits(tmp_path: Path, seconds: float, frames: int, shift: str) -> None:
    check_durations(write(tmp_path, seconds, frames, shift))


@pytest.mark.parametrize(("seconds", "frames"), [(2.0, 90), (2.0, 185), (2.0, 205), (0.9, 200)])
def test_what_none_gives_is_refused(tmp_path: Path, seconds: float, frames: int) -> None:
    with pytest.raises(ValueError, match=rf"/utt2dur, line 2: 'a-1' lasts {seconds} s, but its "):
        check_durations(write(tmp_path, seconds, frames))


def test_segments_may_end_after_their_recordings(tmp_path: Path) -> None:
    write(tmp_path, 2.0, 151)
    (tmp_path / "segments").write_text("a-0 a 0 1\na-1 a 0 2\n")
    check_durations(tmp_path)
    write(tmp_path, 2.0, 130)
    with pytest.raises(ValueError, match="'a-1'"):
        check_durations(tmp_path)


def test_without_a_shift_nothing_is_known(tmp_path: Path) -> None:
    (write(tmp_path, 2.0, 90) / "frame_shift").unlink()
    check_durations(tmp_path)
    (tmp_path / "frame_shift").write_text("ten\n")
    with pytest.raises(ValueError, match="/frame_shift, line 1: 'ten'"):
        check_durations(tmp_path)
