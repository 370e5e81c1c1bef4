"""Stage 1: every kind of file a folder may hold, any number of jobs, any interruption."""

import functools
import itertools
import logging
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import kaldi_native_io
import lhotse
import numpy as np
import pytest
from lhotse import FeatureSet, RecordingSet, SupervisionSet

import compute_features
from deep_speaker.config import Experiment
from deep_speaker.corpora import manifests
from deep_speaker.corpora.manifests import manifest_path, write_manifests
from deep_speaker.features import extraction, shards
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.features.shards import analyse
from deep_speaker.features.source import check_features
from deep_speaker.kaldi import data_dir
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.audio import load_audio, read_info
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.trials import lists, removal
from deep_speaker.trials.lists import Trial, read_trials, write_trials
from deep_speaker.trials.protocols import draw_one_plus_99, draw_trials
from support import kaldi_checks
from support.speech import EXPERIMENT, make_speech, make_utterances, snapshot, write_audio

NUM_SPEAKERS, PER_SPEAKER = 20, 4
# Four of eighty files would be 5 %, the most that is no failure; silence is none of the files'.
BAD = {
    "spk3-0": ("unreadable", lambda path: path.write_bytes(b"not audio " * 99)),
    "spk5-1": ("unreadable", lambda path: path.write_bytes(b"")),
    "spk7-0": ("too short", lambda path: write_audio(path, make_speech(0)[:1])),
    "spk9-1": ("silent", lambda path: write_audio(path, np.zeros(4000))),
}
ODD = {
    "spk2-0": lambda path: write_audio(path, make_speech(1, 0.3, 8000), 8000),
    "spk4-0": lambda path: write_audio(path, np.stack([make_speech(2), make_speech(3)], axis=1)),
    "spk6-0": lambda path: write_audio(path, make_speech(4, 0.3, 96000), 96000),
}
SCPS = ("feats.scp", "vad.scp", "utt_cmvn.scp")
TABLES = (*SCPS, "utt2num_frames", "wav.scp", "utt2spk", "utt2dur", "reco2dur")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test set as after stage 0, none of it bad yet."""
    corpus = tmp_path_factory.mktemp("prepared") / "tiny"
    utterances = make_utterances(corpus / "audio", "spk", NUM_SPEAKERS, PER_SPEAKER)
    utterances.sort(key=lambda item: item.id)
    folder = corpus / "test"
    write_data_dir(folder, utterances)
    utt2spk = {item.id: item.speaker for item in utterances}
    rng = np.random.default_rng(0)
    write_trials(folder / "trials", draw_trials(utt2spk, "all", 10**6, rng))
    write_trials(folder / "trials_one_plus_99", draw_one_plus_99(utt2spk, 10**6, rng))
    write_manifests(folder, utterances)
    return corpus


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the test set of one's own, with its audio."""
    corpus = tmp_path / "tiny"
    shutil.copytree(prepared, corpus)
    wav_scp = corpus / "test" / "wav.scp"
    wav_scp.write_text(wav_scp.read_text().replace(str(prepared), str(corpus)))
    return corpus / "test"


def audio_file(folder: Path, utterance: str) -> Path:
    return next((folder.parent / "audio" / utterance.split("-")[0]).glob(f"{utterance[-1]}.*"))


def make_bad(folder: Path) -> None:
    for utterance, (_, spoil) in BAD.items():
        spoil(audio_file(folder, utterance))


def read_arrays(folder: Path, name: str) -> dict[str, np.ndarray]:
    table = ArchiveTable(folder / name)
    return {key: table.rows(key) for key in read_table(folder / name)}


def read_everything(folder: Path) -> dict[str, dict[str, Any]]:
    """Tables and arrays, without the places of the arrays."""
    tables: dict[str, dict[str, Any]] = {
        name: dict(read_table(folder / name)) for name in TABLES if name not in SCPS
    }
    for name in SCPS:
        tables[name] = {key: array.tobytes() for key, array in read_arrays(folder, name).items()}
    return tables


def test_good_files_of_every_kind_are_processed_and_bad_ones_leave_everything(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = read_table(folder / "wav.scp")
    pairs_before = read_trials(folder / "trials")
    make_bad(folder)
    for utterance, change in ODD.items():
        change(audio_file(folder, utterance))
    with caplog.at_level(logging.INFO):
        compute_data_dir(folder, EXPERIMENT, 2)

    bad = read_table(folder / "bad_utterances")
    assert bad.keys() == BAD.keys()
    for utterance, (reason, _) in BAD.items():
        assert reason in bad[utterance]
        assert reason == "silent" or f"{utterance}: {bad[utterance]}" in caplog.text
    assert "3 of 80 utterances are bad" in caplog.text
    assert "1 of 80 utterances are silent" in caplog.text
    for told in ("from 8000 to 16000 Hz (nothing above 4000 Hz", "from 96000 to", "2 channels"):
        assert (
            f"1 of 80 files {'have ' if 'channels' in told else 'resampled '}{told}" in caplog.text
        )

    good = before.keys() - BAD.keys()
    for name in TABLES:
        assert read_table(folder / name).keys() == good, name
    assert kaldi_checks.validate(folder) == "valid"
    for path in lists.find_trial_lists(folder).values():
        assert not {key for trial in read_trials(path) for key in trial[:2]} & BAD.keys()
    assert read_trials(folder / "trials") == [
        trial for trial in pairs_before if good >= {trial.enroll, trial.test}
    ]
    assert anchors_are_whole(read_trials(folder / "trials_one_plus_99"))
    for kind, manifest in (("recordings", RecordingSet), ("supervisions", SupervisionSet)):
        assert {item.id for item in manifest.from_file(manifest_path(folder, kind))} == good
    stored = FeatureSet.from_file(manifest_path(folder, "features"))
    assert {item.recording_id for item in stored} == good


def anchors_are_whole(one_plus_99: list[Trial]) -> bool:
    """Every anchor still has exactly its positive."""
    targets = [trial.enroll for trial in one_plus_99 if trial.target]
    return sorted(targets) == sorted({trial.enroll for trial in one_plus_99})


def test_the_arks_hold_what_the_audio_gives(folder: Path) -> None:
    compute_data_dir(folder, EXPERIMENT, 2)
    feats, voices, statistics = (read_arrays(folder, name) for name in SCPS)
    num_frames = read_table(folder / "utt2num_frames")
    for key, entry in read_table(folder / "wav.scp").items():
        samples, info = load_audio(entry, 16000)
        filterbanks, voiced = analyse(samples, EXPERIMENT)
        assert len(filterbanks) == (info.num_samples + 80) // 160 == int(num_frames[key])
        step = np.ptp(filterbanks) / 65535
        np.testing.assert_allclose(feats[key], filterbanks, rtol=0, atol=step)
        np.testing.assert_array_equal(voices[key], voiced)
        assert voices[key].dtype == np.float32
        assert set(voices[key]) <= {0, 1}
        # Kaldi's apply-cmvn: mean and variance from sums, sums of squares and the count.
        chosen = filterbanks[voiced == 1].astype(np.float64)
        sums, squares = statistics[key]
        assert sums[-1] == voiced.sum() > 0
        assert squares[-1] == 0
        np.testing.assert_allclose(sums[:-1] / sums[-1], chosen.mean(axis=0), rtol=1e-6)
        variance = squares[:-1] / sums[-1] - (sums[:-1] / sums[-1]) ** 2
        np.testing.assert_allclose(variance, chosen.var(axis=0), rtol=1e-3, atol=1e-4)
        assert statistics[key].shape == (2, 65)
    assert float((folder / "frame_shift").read_text()) == 0.01
    assert "--num-mel-bins=64" in (folder / "conf/fbank.conf").read_text().split()
    assert "--vad-frames-context=2" in (folder / "conf/vad.conf").read_text().split()
    entry = read_table(folder / "utt_cmvn.scp")["spk0-0"]
    kaldi_statistics = kaldi_native_io.DoubleMatrix.read(entry).numpy()
    np.testing.assert_array_equal(kaldi_statistics, statistics["spk0-0"])


def with_torchaudio(**changes: Any) -> Experiment:
    """voxceleb_trainer's front end, every frame voiced."""
    features = {"front_end": "torchaudio"} | changes
    content = EXPERIMENT.model_dump() | {
        "features": features,
        "voice_activity": {"energy_threshold": -1000, "energy_mean_scale": 0},
        "normalisation": {"mean": "chunk", "scale": "chunk"},
    }
    if not features.get("log", True):
        content["pretraining"]["augmentation"] = content["finetuning"]["augmentation"] = {}
    return Experiment.model_validate(content)


SPECTRUM = {"num_mels": None, "power": 1, "centred": False, "log": False, "compression": "none"}


@pytest.mark.parametrize(("changes", "num_bins"), [({}, 40), (SPECTRUM, 257)])
def test_the_front_end_of_voxceleb_trainer(
    folder: Path, changes: dict[str, Any], num_bins: int
) -> None:
    experiment = with_torchaudio(**changes)
    too_short = audio_file(folder, "spk7-0")
    write_audio(too_short, make_speech(0)[:256])
    compute_data_dir(folder, experiment, 2)
    assert read_table(folder / "bad_utterances").keys() == {"spk7-0"}
    assert "too short: 256 samples" in read_table(folder / "bad_utterances")["spk7-0"]

    feats, voices, statistics = (read_arrays(folder, name) for name in SCPS)
    for key, entry in read_table(folder / "wav.scp").items():
        spectrogram, _ = analyse(load_audio(entry, 16000)[0], experiment)
        step = np.ptp(spectrogram) / 65535 if experiment.features.log else 0
        np.testing.assert_allclose(feats[key], spectrogram, rtol=0, atol=step)
        assert voices[key].tolist() == [1] * len(spectrogram)
        assert statistics[key].shape == (2, num_bins + 1)
    assert kaldi_checks.validate(folder) == "valid"
    for item in FeatureSet.from_file(manifest_path(folder, "features")):
        lhotse.validate(item, read_data=True)
        assert (item.type, item.num_features) == ("torchaudio-spectrogram", num_bins)
        assert item.num_frames == len(feats[item.recording_id])


def test_only_the_options_of_the_last_front_end_stay(folder: Path) -> None:
    names = {EXPERIMENT: "fbank.conf", with_torchaudio(): "spectrogram.conf"}
    for experiment in (*names, EXPERIMENT):
        compute_data_dir(folder, experiment, 2)
        kept = {path.name for path in (folder / "conf").iterdir()}
        assert kept == {names[experiment], "vad.conf"}
        check_features(folder, experiment)
        for other in names.keys() - {experiment}:
            with pytest.raises(ValueError, match=f"{names[other]} is missing .* run stage 1"):
                check_features(folder, other)


def test_any_number_of_jobs_gives_the_same(folder: Path) -> None:
    make_bad(folder)
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    compute_data_dir(folder, EXPERIMENT, 1)
    compute_data_dir(copy, EXPERIMENT, 3)
    assert len(list((folder / "fbank").glob("feats.*.ark"))) == 1
    assert len(list((copy / "fbank").glob("feats.*.ark"))) == 3
    assert read_everything(folder) == read_everything(copy)
    assert read_table(folder / "bad_utterances") == read_table(copy / "bad_utterances")
    # Again, over what another number of jobs left.
    compute_data_dir(copy, EXPERIMENT, 2)
    assert read_everything(folder) == read_everything(copy)


def test_more_jobs_than_utterances_are_no_problem(tmp_path: Path) -> None:
    write_data_dir(tmp_path / "data", make_utterances(tmp_path / "audio", "spk", 2, 1))
    compute_data_dir(tmp_path / "data", EXPERIMENT, 8)
    assert len(read_table(tmp_path / "data" / "feats.scp")) == 2


def test_more_than_5_percent_bad_fail_and_leave_the_previous_features(folder: Path) -> None:
    compute_data_dir(folder, EXPERIMENT, 2)
    make_bad(folder)
    for utterance in ("spk0-0", "spk0-1"):
        audio_file(folder, utterance).unlink()
    before = snapshot(folder.parent)
    with pytest.raises(
        ValueError, match=r"5 of 80 utterances are bad.*5%.*bad_utterances"
    ) as error:
        compute_data_dir(folder, EXPERIMENT, 2)
    assert "\n" not in str(error.value)
    assert read_table(folder / "bad_utterances").keys() == BAD.keys() | {"spk0-0", "spk0-1"}
    after = dict(snapshot(folder.parent))
    del after["test/bad_utterances"]
    assert after == before

    for utterance in BAD.keys() | {"spk0-0", "spk0-1"}:
        suffix = "flac" if int(utterance[-1]) % 2 else "wav"
        speaker = utterance.split("-")[0]
        write_audio(folder.parent / "audio" / speaker / f"{utterance[-1]}.{suffix}", make_speech(9))
    compute_data_dir(folder, EXPERIMENT, 2)
    assert not (folder / "bad_utterances").exists()


def failing(function: Callable, call: int, error: type[BaseException]) -> Callable:
    """`function`, which raises at its `call`-th call in this process."""
    calls = itertools.count(1)

    @functools.wraps(function)
    def call_or_fail(*arguments: Any, **options: Any) -> Any:
        if next(calls) == call:
            raise error("injected")
        return function(*arguments, **options)

    return call_or_fail


def interrupt_between_jobs(
    function: Callable[[Any], Any], items: Iterable[Any], num_jobs: int
) -> Iterator[Any]:
    yield function(next(iter(items)))
    raise KeyboardInterrupt


@pytest.mark.parametrize("first", [True, False], ids=["first run", "second run"])
@pytest.mark.parametrize("place", ["worker", "between jobs"])
def test_an_interruption_leaves_the_previous_state(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str, first: bool
) -> None:
    if not first:
        compute_data_dir(folder, EXPERIMENT, 2)
    before = snapshot(folder.parent)
    if place == "worker":
        error: type[BaseException] = MemoryError
        # Forked workers have this too.
        fail = failing(shards.analyse, 5, MemoryError)
        monkeypatch.setattr(shards, "analyse", fail)
    else:
        error = KeyboardInterrupt
        monkeypatch.setattr(extraction, "map_in_processes", interrupt_between_jobs)
    with pytest.raises(error):
        compute_data_dir(folder, EXPERIMENT, 3)
    assert snapshot(folder.parent) == before


STEPS: list[tuple[Any, str, int]] = [
    (extraction, "write_scp", 1),
    (extraction, "write_scp", 2),
    (extraction, "write_table", 2),
    (data_dir, "write_table", 2),
    (removal, "write_trials", 1),
    (removal, "write_trials", 2),
    (manifests, "_write", 1),
    (manifests, "_write", 2),
    (manifests, "_write", 3),
]


@pytest.mark.parametrize(
    ("module", "function", "call"),
    STEPS,
    ids=[f"{module.__name__.split('.')[-1]}.{name} {call}" for module, name, call in STEPS],
)
def test_an_interruption_while_tables_are_replaced_is_mended_by_the_next_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, module: Any, function: str, call: int
) -> None:
    compute_data_dir(folder, EXPERIMENT, 2)
    make_bad(folder)
    with monkeypatch.context() as patch:
        fail = failing(getattr(module, function), call, KeyboardInterrupt)
        patch.setattr(module, function, fail)
        with pytest.raises(KeyboardInterrupt):
            compute_data_dir(folder, EXPERIMENT, 3)
    compute_data_dir(folder, EXPERIMENT, 3)
    good = read_table(folder / "feats.scp").keys()
    assert not good & BAD.keys()
    assert kaldi_checks.validate(folder) == "valid"
    for path in lists.find_trial_lists(folder).values():
        assert {key for trial in read_trials(path) for key in trial[:2]} <= good
    for kind, manifest in (("recordings", RecordingSet), ("supervisions", SupervisionSet)):
        assert {item.id for item in manifest.from_file(manifest_path(folder, kind))} == good


def test_samples_that_are_no_numbers_are_bad(folder: Path) -> None:
    path = audio_file(folder, "spk1-0")
    samples = make_speech(0)
    samples[100] = np.nan
    write_audio(path, samples, subtype="FLOAT")
    compute_data_dir(folder, EXPERIMENT, 2)
    assert "finite" in read_table(folder / "bad_utterances")["spk1-0"]


def test_the_list_of_bad_utterances_outlives_a_second_run(folder: Path) -> None:
    """They have left wav.scp: without the list nobody would know what became of them."""
    make_bad(folder)
    compute_data_dir(folder, EXPERIMENT, 2)
    compute_data_dir(folder, EXPERIMENT, 2)
    assert read_table(folder / "bad_utterances").keys() == BAD.keys()


def test_the_command_works_on_several_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("train", "test"):
        write_data_dir(tmp_path / name, make_utterances(tmp_path / "audio" / name, name, 2, 2))
    monkeypatch.chdir(tmp_path)
    config = Path(compute_features.__file__).parents[1] / "conf/embedded.yaml"
    words = ["compute_features.py", "--config", str(config), "--nj", "2", "train", "test"]
    monkeypatch.setattr(sys, "argv", words)
    compute_features.main()
    for name in ("train", "test"):
        entries = read_table(tmp_path / name / "feats.scp")
        assert set(entries) == {f"{name}{i}-{j}" for i in (0, 1) for j in (0, 1)}
        # Absolute, though the directories were named by relative paths.
        assert all(entry.startswith(f"{tmp_path}/{name}/fbank/") for entry in entries.values())
    monkeypatch.setattr(sys, "argv", [*words[:-2], "nowhere"])
    with pytest.raises(ValueError, match=r"nowhere/wav\.scp is missing: run stage 0"):
        compute_features.main()


@pytest.fixture
def segmented(folder: Path, tmp_path: Path) -> Path:
    """60 segments of 20 recordings: files, and commands that note that they are run."""
    utterances = []
    for i in range(NUM_SPEAKERS):
        path = audio_file(folder, f"spk{i}-0")
        entry = f"echo {i} >> {tmp_path}/runs; cat {path} |" if i % 2 else str(path)
        for part, (start, end) in enumerate([(0.0, 0.1), (0.05, 0.2), (0.1, 0.25)]):
            segment = Segment(f"spk{i}-0", start, end)
            key = f"spk{i}-s{part}"
            utterances.append(
                Utterance(key, f"spk{i}", entry, read_info(path), None, None, segment)
            )
    utterances.sort(key=lambda item: item.id)
    shutil.rmtree(folder)
    write_data_dir(folder, utterances)
    write_manifests(folder, utterances)
    return folder


def test_segments_are_cut_from_recordings_that_are_opened_once(
    segmented: Path, tmp_path: Path
) -> None:
    compute_data_dir(segmented, EXPERIMENT, 3)
    runs = (tmp_path / "runs").read_text().split()
    assert sorted(runs, key=int) == [str(i) for i in range(1, NUM_SPEAKERS, 2)]
    feats = read_arrays(segmented, "feats.scp")
    entries = read_table(segmented / "wav.scp")
    assert len(feats) == 60
    for key, line in read_table(segmented / "segments").items():
        recording, start, end = line.split()
        samples, _ = load_audio(entries[recording], 16000)
        part = samples[int(float(start) * 16000) : int(float(end) * 16000)]
        filterbanks, _ = analyse(part, EXPERIMENT)
        step = np.ptp(filterbanks) / 65535
        np.testing.assert_allclose(feats[key], filterbanks, rtol=0, atol=step)
    assert kaldi_checks.validate(segmented) == "valid"
    for item in FeatureSet.from_file(manifest_path(segmented, "features")):
        lhotse.validate(item, read_data=True)


def test_any_number_of_jobs_gives_the_same_segments(segmented: Path) -> None:
    copy = segmented.with_name("copy")
    shutil.copytree(segmented, copy)
    compute_data_dir(segmented, EXPERIMENT, 1)
    compute_data_dir(copy, EXPERIMENT, 4)
    assert read_everything(segmented) == read_everything(copy)


def test_a_bad_recording_takes_all_its_segments_along(
    segmented: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One recording of twenty is 5 %; beside it, a segment that ends a little after the audio."""
    audio_file(segmented, "spk3-0").write_bytes(b"no audio")
    table = segmented / "segments"
    table.write_text(table.read_text().replace("spk4-0 0.100000 0.250000", "spk4-0 0.1 0.6"))
    expected = {f"spk3-s{i}" for i in range(3)}
    with monkeypatch.context() as patch:  # interrupted when segments no longer names them
        patch.setattr(data_dir, "write_spk2utt", failing(data_dir.write_spk2utt, 1, OSError))
        with pytest.raises(OSError, match="injected"):
            compute_data_dir(segmented, EXPERIMENT, 2)
    assert not read_table(table).keys() & expected
    with caplog.at_level(logging.INFO):
        compute_data_dir(segmented, EXPERIMENT, 2)
    assert "1 segments end after their recording" in caplog.text
    bad = read_table(segmented / "bad_utterances")
    assert bad.keys() == expected
    assert all("unreadable" in reason for reason in bad.values())
    assert len(read_table(segmented / "utt2spk")) == 57
    assert "spk3-0" not in read_table(segmented / "wav.scp")
    assert kaldi_checks.validate(segmented) == "valid"


def test_a_segment_of_no_recording_is_one_line(segmented: Path) -> None:
    table = segmented / "segments"
    table.write_text(table.read_text().replace("spk4-0", "spk4-9"))
    with pytest.raises(ValueError, match=r"segments: 'spk4-s0' lies in 'spk4-9', which wav"):
        compute_data_dir(segmented, EXPERIMENT, 2)


def test_silence_is_no_fault_of_the_files_up_to_a_half(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = sorted(read_table(folder / "wav.scp"))
    for key in keys[:40]:
        write_audio(audio_file(folder, key), np.zeros(4000))
    before = snapshot(folder.parent)
    write_audio(audio_file(folder, keys[40]), np.zeros(4000))
    with pytest.raises(ValueError, match=r"41 of 80 utterances are silent: .*energy_threshold"):
        compute_data_dir(folder, EXPERIMENT, 2)
    assert len(read_table(folder / "bad_utterances")) == 41
    (folder / "bad_utterances").unlink()
    after = dict(snapshot(folder.parent))
    assert {name for name in after if after[name] != before[name]} == {
        audio_file(folder, keys[40]).relative_to(folder.parent).as_posix()
    }
    write_audio(audio_file(folder, keys[40]), make_speech(5))
    compute_data_dir(folder, EXPERIMENT, 2)
    assert "40 of 80 utterances are silent and left out" in caplog.text
    assert read_table(folder / "bad_utterances") == dict.fromkeys(
        keys[:40], "silent: no voiced frame"
    )
    assert read_table(folder / "feats.scp").keys() == set(keys[40:])
