"""Stage 1 after an interruption, or a change: what is whole and current is not computed again."""

import json
import logging
import os
import random
import re
import shutil
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.config import Experiment
from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.features import cutting, shards, work
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table, write_table
from deep_speaker.kaldi.utterances import Segment, Utterance
from support.odd_audio import cut_in_half
from support.speech import EXPERIMENT, make_speech, snapshot, write_audio
from support.stage_1_folders import audio_file, failing, make_bad, read_everything

Counts = Callable[[], list[int]]


@pytest.fixture(autouse=True)
def short_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dozen shards of 7 utterances each, of the 80."""
    monkeypatch.setattr(cutting, "SHORTEST", 2.25)


@pytest.fixture
def computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counts:
    """What returns the numbers of shards that were computed since it was last called."""
    noted = tmp_path / "computed"
    noted.mkdir()
    write = work.write_shard

    def note_and_write(*arguments) -> shards.Shard:  # type: ignore[no-untyped-def]
        (noted / str(arguments[2])).touch()
        return write(*arguments)

    monkeypatch.setattr(work, "write_shard", note_and_write)

    def numbers() -> list[int]:
        found = sorted(int(path.name) for path in noted.iterdir())
        for path in noted.iterdir():
            path.unlink()
        return found

    return numbers


def all_but_records(folder: Path) -> dict[str, bytes | None]:
    """All of a data directory but the records, which hold times."""
    return {name: data for name, data in snapshot(folder).items() if not name.endswith(".json")}


def run_undisturbed(folder: Path, experiment: Experiment = EXPERIMENT) -> dict[str, bytes | None]:
    """What a run leaves that nobody interrupts; the directory is then as it was before."""
    kept = folder.parent.with_name("kept")
    shutil.copytree(folder.parent, kept)
    compute_data_dir(folder, experiment, 2)
    left = all_but_records(folder)
    shutil.rmtree(folder.parent)
    kept.rename(folder.parent)
    return left


def compute_and_die(folder: Path, last: int) -> None:
    """Compute in a group of processes that is killed as a shard is half written."""
    os.setsid()

    def write_half(*arguments) -> shards.Shard:  # type: ignore[no-untyped-def]
        if arguments[2] == last:
            (arguments[0] / f"feats.{last}.ark").write_bytes(b"half of it")
            os.killpg(0, signal.SIGKILL)
        return write(*arguments)

    write, work.write_shard = work.write_shard, write_half  # type: ignore[assignment]
    compute_data_dir(folder, EXPERIMENT, 2)


@pytest.mark.parametrize("how", ["killed", "failed"])
@pytest.mark.parametrize("bad", [False, True], ids=["all good", "some bad"])
def test_a_run_goes_on_where_one_was_interrupted(
    folder: Path, computed: Counts, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, how: str, bad: bool,
) -> None:  # fmt: skip
    """With the same results, bit for bit, and other numbers of jobs."""
    if bad:
        make_bad(folder)
    expected = run_undisturbed(folder)
    everything = computed()
    last = random.Random(repr((how, bad))).choice(everything[4:])
    if how == "killed":
        process = get_context("fork").Process(target=compute_and_die, args=(folder, last))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    else:
        with monkeypatch.context() as patch:
            fail = failing(work.accepted_sums, last, MemoryError)  # in the only worker
            patch.setattr(work, "accepted_sums", fail)
            with pytest.raises(MemoryError):
                compute_data_dir(folder, EXPERIMENT, 1)
    assert not (folder / "feats.scp").exists()
    whole = [
        int(path.stem)
        for path in work.open_shards(folder, EXPERIMENT).partial.glob("shards/*.json")
    ]
    computed()
    with caplog.at_level(logging.INFO):
        compute_data_dir(folder, EXPERIMENT, 3)
    missing = [number for number in everything if number not in whole]
    extra = max(everything) + 1  # bad utterances are tried again
    assert [number for number in computed() if number < extra] == missing
    assert 0 < len(missing) < len(everything)
    assert f"{len(whole)} of " in caplog.text
    assert all_but_records(folder) == expected
    assert not list(folder.glob("*partial*"))

    caplog.clear()
    with caplog.at_level(logging.INFO):
        compute_data_dir(folder, EXPERIMENT, 1)
    assert computed() == []
    number = len(everything)
    assert f"{folder}/fbank: {number} of {number} shards are whole and current" in caplog.text
    assert all_but_records(folder) == expected


def change_config(folder: Path) -> Experiment:
    changed = EXPERIMENT.voice_activity.model_copy(update={"context": 3})
    return EXPERIMENT.model_copy(update={"voice_activity": changed})


def change_compression(folder: Path) -> Experiment:
    changed = EXPERIMENT.features.model_copy(update={"compression": "none"})
    return EXPERIMENT.model_copy(update={"features": changed})


def change_audio(folder: Path) -> Experiment:
    write_audio(audio_file(folder, "spk11-1"), make_speech(99))
    return EXPERIMENT


def change_entry(folder: Path) -> Experiment:
    table = read_table(folder / "wav.scp")
    write_table(folder / "wav.scp", table | {"spk11-1": table["spk12-1"]})
    return EXPERIMENT


def remove_record(folder: Path) -> Experiment:
    (folder / "fbank/shards/4.json").unlink()
    return EXPERIMENT


def cut_record(folder: Path) -> Experiment:
    path = folder / "fbank/shards/4.json"
    path.write_bytes(path.read_bytes()[:-9])
    return EXPERIMENT


def change_record(folder: Path) -> Experiment:
    path = folder / "fbank/shards/4.json"
    record = json.loads(path.read_text())
    record["made"]["num_frames"] = 5
    path.write_text(json.dumps(record))
    return EXPERIMENT


def cut_ark(folder: Path) -> Experiment:
    path = folder / "fbank/feats.4.ark"
    path.write_bytes(path.read_bytes()[:-9])
    return EXPERIMENT


def spoil_ark(folder: Path) -> Experiment:
    path = folder / "fbank/vad.4.ark"
    path.write_bytes(path.read_bytes()[:-9] + bytes(9))
    return EXPERIMENT


def remove_ark(folder: Path) -> Experiment:
    (folder / "fbank/utt_cmvn.4.ark").unlink()
    return EXPERIMENT


def touch_arks(folder: Path) -> Experiment:
    for path in (folder / "fbank").glob("*.ark"):
        os.utime(path, (1e9, 1e9))
    return EXPERIMENT


def remove_utterance(folder: Path) -> Experiment:
    for name in ("wav.scp", "utt2spk", "utt2dur", "reco2dur", "text"):
        table = read_table(folder / name)
        del table["spk11-1"]
        write_table(folder / name, table)
    spk2utt = read_table(folder / "spk2utt")
    spk2utt["spk11"] = spk2utt["spk11"].replace("spk11-1 ", "")
    write_table(folder / "spk2utt", spk2utt)
    return EXPERIMENT


ALL = "all"
CHANGES: dict[str, tuple[Callable[[Path], Experiment], object]] = {
    "nothing": (lambda folder: EXPERIMENT, 0),
    "voice activity": (change_config, ALL),
    "compression": (change_compression, ALL),
    "the audio of an utterance": (change_audio, 1),
    "an entry": (change_entry, 1),
    "a record that is gone": (remove_record, 1),
    "a record cut short": (cut_record, 1),
    "a record of another form": (change_record, 1),
    "an ark cut short": (cut_ark, 1),
    "an ark with other bytes": (spoil_ark, 1),
    "an ark that is gone": (remove_ark, 1),
    "the times of arks": (touch_arks, 0),
    "an utterance that is gone": (remove_utterance, 0),
}


@pytest.mark.parametrize("what", CHANGES)
def test_just_what_changed_is_computed_again(folder: Path, computed: Counts, what: str) -> None:
    change, count = CHANGES[what]
    for path in (folder / "trials", folder / "trials_one_plus_99"):
        path.unlink()  # so that an utterance may go
    compute_data_dir(folder, EXPERIMENT, 2)
    everything = computed()
    experiment = change(folder)
    compute_data_dir(folder, experiment, 2)
    assert len(computed()) == (len(everything) if count == ALL else count)
    again = read_everything(folder)
    shutil.rmtree(folder / "fbank")
    compute_data_dir(folder, experiment, 2)
    assert read_everything(folder) == again


def test_bad_utterances_are_tried_again_alone(folder: Path, computed: Counts) -> None:
    """A program was missing, or the files are mended: the tables say the same as before."""
    table = read_table(folder / "wav.scp")
    keys = [key for key in table if key.endswith("-0")]
    program = folder.parent / "bin/decode"
    entries = {key: f"{program} {audio_file(folder, key)} |" for key in keys}
    write_table(folder / "wav.scp", table | entries)
    with pytest.raises(ValueError, match=r"20 of 80 utterances .* No such file"):
        compute_data_dir(folder, EXPERIMENT, 2)
    everything = computed()
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec cat $1\n")
    program.chmod(0o755)
    compute_data_dir(folder, EXPERIMENT, 2)
    assert computed() == [max(everything) + i for i in (1, 2, 3)]
    assert read_table(folder / "feats.scp").keys() == table.keys()
    again = read_everything(folder)
    shutil.rmtree(folder / "fbank")
    compute_data_dir(folder, EXPERIMENT, 2)
    assert read_everything(folder) == again


def make_segments(folder: Path) -> Path:
    """Three recordings, of which one ends before stage 0's tables say."""
    spans = {"a-0": (0.0, 1.0), "a-1": (1.0, 1.7), "a-2": (0.2, 1.3)}
    utterances = [
        Utterance(
            f"{name}{key}", f"{name}a", str(file), read_info(file), segment=Segment(name, *span)
        )
        for name in "xyz"
        for file in [write_audio(folder / f"{name}.wav", make_speech(5, 3.0))]
        for key, span in spans.items()
    ]  # fmt: skip
    data_dir = folder / "tiny/test"
    write_data_dir(data_dir, utterances)
    write_manifests(data_dir, utterances)
    cut_in_half(folder / "y.wav")
    return data_dir


def test_corrected_lengths_are_no_change(
    tmp_path: Path, computed: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor are the tables of stage 0, made anew: they are corrected again."""
    data_dir = make_segments(tmp_path)
    kept = tmp_path / "kept"
    shutil.copytree(data_dir.parent, kept)
    compute_data_dir(data_dir, EXPERIMENT, 2)
    everything, expected = computed(), all_but_records(data_dir)
    warned = caplog.messages
    assert len(warned) == 1
    caplog.clear()
    compute_data_dir(data_dir, EXPERIMENT, 2)
    assert not caplog.messages
    assert all_but_records(data_dir) == expected
    shutil.copytree(kept, data_dir.parent, dirs_exist_ok=True)
    compute_data_dir(data_dir, EXPERIMENT, 2)
    assert computed() == []
    assert all_but_records(data_dir) == expected
    assert caplog.messages == warned

    table = read_table(data_dir / "segments")
    write_table(data_dir / "segments", table | {"xa-1": "x 1.000000 1.600000"})
    write_table(data_dir / "utt2dur", read_table(data_dir / "utt2dur") | {"xa-1": "0.6"})
    compute_data_dir(data_dir, EXPERIMENT, 2)
    assert len(computed()) == 1 < len(everything)
    assert int(read_table(data_dir / "utt2num_frames")["xa-1"]) == pytest.approx(60, abs=2)


@pytest.mark.parametrize("step", ["_write_tables", "correct_tables", "remove_utterances"])
def test_what_the_end_of_the_stage_changes_is_no_change(
    folder: Path, computed: Counts, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    make_bad(folder)
    cut_in_half(audio_file(folder, "spk0-0"))
    expected = run_undisturbed(folder)
    computed()
    with monkeypatch.context() as patch:
        patch.setattr(
            f"deep_speaker.features.extraction.{step}", failing(compute_data_dir, 1, OSError)
        )
        with pytest.raises(OSError, match="injected"):
            compute_data_dir(folder, EXPERIMENT, 2)
    everything = computed()
    compute_data_dir(folder, EXPERIMENT, 2)
    assert all(number > max(everything) for number in computed())
    assert all_but_records(folder) == expected


def test_silence_is_told_again(
    folder: Path, computed: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    keys = sorted(read_table(folder / "wav.scp"))
    for key in keys[:41]:
        write_audio(audio_file(folder, key), np.zeros(4000))
    messages = []
    for _ in range(2):
        with pytest.raises(ValueError, match=r"41 of 80 utterances are silent"):
            compute_data_dir(folder, EXPERIMENT, 2)
    computed()
    write_audio(audio_file(folder, keys[40]), make_speech(5))
    compute_data_dir(folder, EXPERIMENT, 2)
    messages = [line for line in caplog.messages if re.search("silent", line)]
    assert messages == [
        f"{folder}: 40 of 80 utterances are silent and left out, see bad_utterances"
    ]
    assert len(read_table(folder / "feats.scp")) == 40
