"""Features that Kaldi computed, in place of stage 1: taken as they are, or refused."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import kaldi_native_io
import numpy as np
import pytest
from lhotse import load_manifest
from lhotse.qa import validate as validate_by_lhotse

import adopt_features
from deep_speaker.features.adoption import adopt_data_dir
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.features.source import FeatureSource
from deep_speaker.kaldi.archives import ArchiveTable, ArchiveWriter, write_scp
from deep_speaker.kaldi.tables import iterate_table, read_table, write_table
from deep_speaker.trials.lists import read_trials
from support.kaldi_features import CONF, make_fbank, write_test_set, write_vad
from support.speech import EXPERIMENT, snapshot
from support.validated_folders import validate

CONFIG = Path(adopt_features.__file__).parents[1] / "conf/embedded.yaml"
Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_test_set(tmp_path_factory.mktemp("prepared") / "corpus").parent


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    return shutil.copytree(prepared, tmp_path / "corpus") / "test"


def draw_decisions(frames: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {key: rng.random(len(array)) < 0.7 for key, array in frames.items()}


def test_later_stages_read_kaldi_s_frames(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = make_fbank(folder)
    voiced = draw_decisions(frames)
    write_vad(folder, voiced)
    kept = {name: (folder / name).read_text() for name in ("feats.scp", "vad.scp", "utt2dur")}
    (folder / "frame_shift").write_text("0.010\n")
    words = ["adopt_features.py", "--config", str(CONFIG), "--nj", "2", str(folder)]
    monkeypatch.setattr(sys, "argv", words)
    adopt_features.main()
    assert {name: (folder / name).read_text() for name in kept} == kept
    assert (folder / "conf/kaldi_fbank.conf").read_text() == CONF
    source = FeatureSource(folder, EXPERIMENT)
    for key, array in frames.items():
        assert array.shape[1] == 64
        spoken = array[voiced[key]].astype(np.float64)
        expected = (spoken - spoken.mean(axis=0)) / 3
        np.testing.assert_allclose(source.read(source.whole(key)), expected, atol=1e-5)
        sums = kaldi_native_io.DoubleMatrix.read(read_table(folder / "utt_cmvn.scp")[key]).numpy()
        np.testing.assert_allclose(sums[0], [*spoken.sum(axis=0), len(spoken)])
        np.testing.assert_allclose(sums[1], [*(spoken**2).sum(axis=0), 0])
    before = snapshot(folder)
    adopt_features.main()
    assert snapshot(folder) == before
    validate(monkeypatch, folder)


def test_the_feature_manifest_is_valid_for_lhotse(folder: Path) -> None:
    """Though Kaldi counts fewer frames than Lhotse by default."""
    frames = make_fbank(folder)
    adopt_data_dir(folder, EXPERIMENT, 1)
    manifest = load_manifest(folder.parent / "manifests/corpus_features_test.jsonl.gz")
    validate_by_lhotse(manifest, read_data=True)
    for item in manifest:
        np.testing.assert_array_equal(item.load(), frames[item.storage_key])


def test_without_voice_activity_all_frames_count(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Until there is one of Kaldi's; what was made up before is made anew of new features."""
    frames = make_fbank(folder)
    adopt_data_dir(folder, EXPERIMENT, 2)
    assert f"{folder}: no vad.scp" in caplog.text
    check_voiced(folder, {key: np.ones(len(array)) for key, array in frames.items()})
    entries = read_table(folder / "feats.scp")
    write_table(folder / "feats.scp", {key: f"{entries[key]}[1:18]" for key in entries})
    (folder / "utt2dur").unlink()
    adopt_data_dir(folder, EXPERIMENT, 2)
    check_voiced(folder, {key: np.ones(18) for key in frames})
    voiced = draw_decisions({key: array[:18] for key, array in frames.items()})
    write_vad(folder, voiced)
    caplog.clear()
    adopt_data_dir(folder, EXPERIMENT, 2)
    assert not caplog.text
    check_voiced(folder, voiced)


def check_voiced(folder: Path, expected: dict[str, np.ndarray]) -> None:
    source = FeatureSource(folder, EXPERIMENT)
    assert {key: source.num_voiced(key) for key in expected} == {
        key: int(array.sum()) for key, array in expected.items()
    }


def test_the_voice_activity_of_stage_1_is_kept_where_it_fits(folder: Path) -> None:
    compute_data_dir(folder, EXPERIMENT, 1)
    feats, before = ArchiveTable(folder / "feats.scp"), (folder / "vad.scp").read_text()
    sums = {key: ArchiveTable(folder / "utt_cmvn.scp").rows(key).copy() for key in feats}
    with ArchiveWriter(folder / "double.ark") as writer:
        for key in feats:
            writer.write(key, feats.rows(key).astype(np.float64))
    write_scp(folder / "feats.scp", writer.scp)
    adopt_data_dir(folder, EXPERIMENT, 1)
    assert (folder / "vad.scp").read_text() == before
    after = ArchiveTable(folder / "utt_cmvn.scp")
    for key in sums:
        np.testing.assert_allclose(after.rows(key), sums[key], rtol=1e-4)


def test_missing_tables_are_written_of_the_frames(folder: Path) -> None:
    frames = make_fbank(folder)
    for name in ("utt2dur", "utt2num_frames", "frame_shift", "conf/fbank.conf"):
        (folder / name).unlink()
    adopt_data_dir(folder, EXPERIMENT, 1)
    assert read_table(folder / "utt2num_frames") == {k: str(len(a)) for k, a in frames.items()}
    assert read_table(folder / "utt2dur") == {k: f"{len(a) / 100:.6f}" for k, a in frames.items()}
    assert (folder / "frame_shift").read_text() == "0.01\n"
    assert not (folder / "conf/kaldi_fbank.conf").exists()
    FeatureSource(folder, EXPERIMENT)


def test_utterances_without_a_voiced_frame_leave_tables_and_trials(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = make_fbank(folder)
    write_vad(folder, {key: np.full(len(a), key != "spk1-1") for key, a in frames.items()})
    adopt_data_dir(folder, EXPERIMENT, 1)
    assert f"{folder}: 1 of 12 utterances" in caplog.text
    assert list(read_table(folder / "bad_utterances")) == ["spk1-1"]
    for name in ("utt2spk", "wav.scp", "feats.scp", "utt_cmvn.scp", "utt2num_frames"):
        assert read_table(folder / name).keys() == frames.keys() - {"spk1-1"}
    assert all("spk1-1" not in trial for trial in read_trials(folder / "trials"))


def set_entry(name: str, array: np.ndarray) -> Change:
    """Give the second entry of an scp file another array."""

    def apply(folder: Path) -> None:
        key = list(read_table(folder / name))[1]
        with ArchiveWriter(folder / "other.ark") as writer:
            writer.write(key, array)
        write_table(folder / name, read_table(folder / name) | writer.scp)

    return apply


def set_conf(text: str) -> Change:
    return lambda folder: (folder / "conf/fbank.conf").write_text(CONF + text)


def stretch_durations(folder: Path) -> None:
    durations = {key: 1.25 * float(value) for key, value in iterate_table(folder / "utt2dur")}
    write_table(folder / "utt2dur", durations)


def silence_most(folder: Path) -> None:
    counts = read_table(folder / "utt2num_frames")
    write_vad(
        folder,
        {key: np.full(int(counts[key]), i > 6).astype(np.float32) for i, key in enumerate(counts)},
    )


REFUSED: list[tuple[Change, str]] = [
    (lambda folder: (folder / "feats.scp").unlink(), r"/feats\.scp .*make_fbank\.sh"),
    (set_entry("feats.scp", np.ones((30, 65), np.float32)), r"'spk0-1' .*\(30, 65\).*64.*num_mels"),
    (set_entry("feats.scp", np.full((30, 64), np.nan, np.float32)), "'spk0-1' .*NaN"),
    (set_entry("vad.scp", np.ones(5, np.float32)), r"/vad\.scp: 'spk0-1' has 5 decisions"),
    (set_entry("vad.scp", np.full(24, 0.5, np.float32)), r"/vad\.scp: 'spk0-1' .*0 and 1"),
    (silence_most, r"/vad\.scp: 7 of 12 utterances"),
    (set_conf("--num-mel-bins=40\n"), r"/fbank\.conf: --num-mel-bins is 40 .* 64: .*num_mels"),
    (set_conf("--low-freq=40\n"), "--low-freq is 40 .* 20: .*low_freq"),
    (set_conf("--high-freq=-200\n"), "--high-freq is -200 .* -400: .*high_freq"),
    (set_conf("--sample-frequency=8000\n"), "--sample-frequency is 8000 .*sampling_rate"),
    (set_conf("--window-type=hamming\n"), "--window-type is hamming .* povey: leave it out"),
    (set_conf("--use-energy=true\n"), "--use-energy is true .* false"),
    (set_conf("num-mel-bins 64\n"), r"/fbank\.conf, line 5: .*'num-mel-bins 64'"),
    (
        lambda folder: (folder / "conf/fbank.conf").write_text("--high-freq=-400\n"),
        "--num-mel-bins is 23, the default, where .* 64",
    ),
    (lambda folder: (folder / "frame_shift").write_text("0.0125\n"), "/frame_shift: '0.0125'"),
    (lambda folder: (folder / "frame_shift").write_text("x\n"), "/frame_shift: 'x'"),
    (stretch_durations, r"frames of .* s \(utt2dur\), some 13.* ms each, .*frame_shift_ms"),
    (
        lambda folder: write_table(
            folder / "vad.scp", dict(list(read_table(folder / "vad.scp").items())[1:])
        ),
        r"/vad\.scp, line 1: .*'spk0-0'.*fix_data_dir",
    ),
]


@pytest.mark.parametrize(("change", "told"), REFUSED)
def test_what_does_not_fit_is_refused_and_nothing_changes(
    folder: Path, change: Change, told: str
) -> None:
    write_vad_of_ones(folder)
    change(folder)
    before = snapshot(folder)
    with pytest.raises(ValueError, match=told) as error:
        adopt_data_dir(folder, EXPERIMENT, 1)
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)
    assert snapshot(folder) == before


def write_vad_of_ones(folder: Path) -> None:
    write_vad(folder, {key: np.ones(len(array)) for key, array in make_fbank(folder).items()})


@pytest.mark.parametrize(
    "text", ["--dither=1\n", "--snip_edges\n", "--High-Freq=-400.0\n", "\n#\n"]
)
def test_options_that_change_no_frame_may_differ(folder: Path, text: str) -> None:
    make_fbank(folder)
    set_conf(text)(folder)
    adopt_data_dir(folder, EXPERIMENT, 1)
    FeatureSource(folder, EXPERIMENT)
