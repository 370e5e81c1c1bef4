"""Sets that may not train and test: shared audio in all its forms, and audio in the way."""

from dataclasses import replace
from pathlib import Path

import pytest

from deep_speaker.corpora.checks import check_sets, check_source
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.kaldi.wav_entries import AudioInfo

SIDE = "ffmpeg -v error -i /a.wav -af 'pan=mono|c0=c1' -f wav -acodec pcm_s16le - |"
INFO = AudioInfo(16000, 48000, 1, "WAV", "PCM_16")
A, B = (Utterance(f"{speaker}-0", speaker, f"/{speaker}.wav", INFO) for speaker in "ab")
CALL = replace(A, entry="sph2pipe call.sph |", segment=Segment("call", 0.0, 1.0))


@pytest.mark.parametrize(
    ("train", "test", "told"),
    [
        (A, replace(B, entry=A.entry), "^/a.wav .*'a-0', .*'[bc]-0'"),
        (
            CALL,
            replace(B, entry=CALL.entry),
            "^sph2pipe .*'a-0', .*'[bc]-0'",
        ),  # all of the recording
        (
            CALL,
            replace(CALL, id="b-0", speaker="b", segment=Segment("c", 0.9, 2)),
            "'a-0', .*'b-0'",
        ),
        (CALL, replace(CALL, id="b-0", speaker="b", segment=Segment("call", 1, 2)), ""),
        (A, replace(B, entry=SIDE), ""),  # the other channel
        (replace(A, entry=SIDE), replace(B, entry=SIDE), r"^/a.wav \(channel 2\) .*'a-0', "),
    ],
)
def test_audio_of_a_training_speaker_is_no_other_s(
    tmp_path: Path, train: Utterance, test: Utterance, told: str
) -> None:
    if not told:  # two speakers of one call
        check_sets(tmp_path, [train], [test])
        return
    with pytest.raises(ValueError, match=told):
        check_sets(tmp_path, [train], [test])
    with pytest.raises(ValueError, match=told):
        check_sets(tmp_path, [train, test], [replace(B, id="c-0", speaker="c")])


def test_two_speakers_of_the_test_set_may_share_audio(tmp_path: Path) -> None:
    check_sets(tmp_path, [A], [B, replace(B, id="c-0", speaker="c")])


def test_what_trains_in_a_closed_set_does_not_test(tmp_path: Path) -> None:
    check_sets(tmp_path, [A], [replace(A, id="a-1", entry="/a1.wav")], closed_set=True)
    (tmp_path / "a.wav").touch()
    (tmp_path / "link.wav").symlink_to("a.wav")
    train = replace(A, entry=str(tmp_path / "a.wav"))
    test = replace(A, id="a-1", entry=str(tmp_path / "link.wav"))
    with pytest.raises(ValueError, match=r"/a\.wav .*'a-0', .*'a-1'"):
        check_sets(tmp_path / "data", [train], [test], closed_set=True)
    check_sets(tmp_path / "data", [train, test], [replace(A, id="a-2")], closed_set=True)


@pytest.mark.parametrize(
    "entry",
    [
        "{}/train/x.wav",
        "{}/train/../test/x.wav",
        "flac -c -d -s {}/train/x.flac |",
        "cat '{}/manifests/x.wav' |",
        "cd {}/train && cat x.wav |",
    ],
)
def test_audio_in_folders_that_are_replaced_is_refused(tmp_path: Path, entry: str) -> None:
    inside = replace(A, entry=entry.format(tmp_path))
    for sets in (([inside], [B]), ([replace(B, id="0-0", speaker="0")], [inside])):
        with pytest.raises(ValueError, match=rf"lies in {tmp_path}, .*train, test, manifests"):
            check_sets(tmp_path, *sets)
    beside = replace(A, entry=entry.format(f"{tmp_path}/wav").replace("..", "wav"))
    check_sets(tmp_path, [beside], [B])


def test_a_corpus_is_not_read_from_where_it_is_written(tmp_path: Path) -> None:
    for name in ("", "train", "manifests"):
        with pytest.raises(ValueError, match=f"^{tmp_path / name} lies in {tmp_path}, .*--name"):
            check_source(tmp_path, tmp_path / name)
    check_source(tmp_path / "data", tmp_path)
    check_source(tmp_path / "data", tmp_path / "data2")
    check_source(tmp_path, None)
