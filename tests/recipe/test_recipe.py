"""The real run.sh, from audio to results, on a corpus of seconds."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import deep_speaker
from deep_speaker.kaldi.tables import read_table
from support.kaldi_checks import read_all, read_by_kaldiio, validate
from support.pages import Block, iterate_blocks
from support.recipe import REPEATABLE, REPEATABLE_TINY, Recipe

pytestmark = pytest.mark.slow

SPEECH_CORPORA = os.environ.get("SPEECH_CORPORA")
PHASES = [
    "statistics",
    "statistics_no_mean",
    "untrained",
    "pretraining",
    "finetuning",
    "pretraining_continued",
]
BACKENDS = ["cosine", "centred_cosine", "lda", "plda", "cosine_as_norm"]  # of tiny.yaml
ONE_PHASE = ("--set", "finetuning=null")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, str]:
    """The recipe after one whole run, and what it printed."""
    recipe = Recipe(tmp_path_factory.mktemp("recipe"), tiny=True)
    return recipe, recipe.run(*REPEATABLE_TINY)


def test_results_have_a_row_per_phase_trial_list_and_subset(finished: tuple[Recipe, str]) -> None:
    recipe, printed = finished
    rows = json.loads((recipe.folder / "exp/embedded/embedded/results.json").read_text())
    found = [(row["phase"], row["trials"], row["subset"], row["backend"]) for row in rows]
    assert sorted(found) == sorted(
        (phase, trials, subset, backend)
        for phase in PHASES
        for trials in ("trials", "one_plus_99")
        for subset in ("all", "same_sex")
        for backend in BACKENDS
    )
    for row in rows:
        assert 0 <= row["eer_percent"] <= 100
        assert set(row["min_dcf"]) == {"0.01", "0.05", "0.001"}
        assert len(row["interval_95"]) >= 1
        assert ("identification_accuracy_percent" in row) == (row["trials"] == "one_plus_99")
    everything = next(r for r in rows if (r["trials"], r["subset"]) == ("trials", "all"))
    assert everything["num_target"] == 4 * 6  # pairs of 4 utterances, 4 speakers
    assert everything["num_nontarget"] == 16 * 15 // 2 - 24
    assert all(phase in printed for phase in PHASES)


def test_kaldi_s_own_code_reads_every_table(finished: tuple[Recipe, str]) -> None:
    data = finished[0].folder / "data/embedded"
    for folder in (data / "train", data / "test"):
        assert validate(folder) == "valid"
        assert {"feats.scp", "vad.scp", "utt_cmvn.scp", "utt2num_frames"} <= set(read_all(folder))
    xvectors = sorted(finished[0].folder.glob("exp/embedded/embedded/*/xvectors_t*"))
    assert len(xvectors) == 2 * len(PHASES)
    names = {"num_utts.ark", "spk2utt"} | {
        f"{k}xvector.{e}" for k in ("", "spk_") for e in ("ark", "scp")
    }
    for folder in xvectors:
        assert set(read_all(folder)) == names


def test_xvectors_have_unit_length(finished: tuple[Recipe, str]) -> None:
    folder = finished[0].folder / "exp/embedded/embedded/xvectors_test"
    vectors = read_by_kaldiio(folder / "xvector.scp")
    assert len(vectors) == 16
    for vector in vectors.values():
        assert vector.shape == (16,)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    lines = (folder / "num_utts.ark").read_text().splitlines()
    assert lines == [f"emb{speaker:04d} 4" for speaker in range(4)]


def test_the_report_is_one_file_of_all_that_was_done(finished: tuple[Recipe, str]) -> None:
    recipe, printed = finished
    report = (recipe.folder / "exp/embedded/embedded/report.html").read_text()
    assert "report.html" in printed
    for word in [*PHASES, *BACKENDS, "speakers_per_batch", "torch", "data_seed"]:
        assert word in report
    assert not re.search(r"""(src|href)=["']?https?:""", report)
    for folder, stages in (("data/embedded", "01"), ("exp/embedded/embedded", "2345")):
        lines = (recipe.folder / folder / "stage_seconds").read_text().splitlines()
        assert [line.split()[0] for line in lines] == [f"stage_{stage}" for stage in stages]


def test_the_model_embeds_what_stages_1_and_4_embed(finished: tuple[Recipe, str]) -> None:
    recipe, printed = finished
    experiment = recipe.folder / "exp/embedded/embedded"
    model = deep_speaker.load(experiment)
    assert f"--model {experiment.relative_to(recipe.folder)}/model a.wav" in printed
    assert model.scoring.decisions is not None
    expected = read_by_kaldiio(experiment / "xvectors_test/xvector.scp")
    entries = read_table(recipe.folder / "data/embedded/test/wav.scp")
    for key, vector in expected.items():
        samples, rate = soundfile.read(recipe.folder / entries[key])
        found = model.hear(samples, rate, shortest=0).vector
        assert found @ vector > 0.99999  # the features of stage 1 have 2 bytes each


RUN_BLOCKS = [block for block in iterate_blocks() if block.mark == "run"]


@pytest.mark.parametrize(
    "block", [block for block in RUN_BLOCKS if "fuse_scores.py" not in block.text], ids=str
)
def test_blocks_of_the_pages_work(
    block: Block, finished: tuple[Recipe, str], tmp_path: Path
) -> None:
    """Those marked `run`, in the recipe's folder after the default run."""
    run_block(copy_finished(finished, tmp_path), block)


def copy_finished(finished: tuple[Recipe, str], folder: Path) -> Recipe:
    """Return another copy of the recipe, with the data and experiments of the finished one."""
    recipe = Recipe(folder, tiny=True)
    for name in ("data", "exp"):
        shutil.copytree(finished[0].folder / name, folder / name, symlinks=True)
    return recipe


def run_block(recipe: Recipe, block: Block) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=recipe.folder,
        env=os.environ | {"VIRTUAL_ENV": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_other_speech_is_judged_as_an_experiment_judged_its_own(
    finished: tuple[Recipe, str], tmp_path: Path
) -> None:
    """The same speech, prepared alone, has the same figures: calibrated, and those of floors."""
    recipe = copy_finished(finished, tmp_path)
    test = tmp_path / "data/embedded/test"
    entries = read_table(test / "wav.scp")
    for utterance, speaker in read_table(test / "utt2spk").items():
        (tmp_path / "speakers" / speaker).mkdir(parents=True, exist_ok=True)
        (tmp_path / f"speakers/{speaker}/{utterance}.wav").symlink_to(entries[utterance])
    paths = [path for path in (tmp_path / "exp/embedded").rglob("*") if path.name != ".lock"]
    untouched = {path: path.stat().st_mtime_ns for path in paths}
    judged = ("--corpus", "folder", "--test-dir", "speakers", "--name", "mine")
    printed = recipe.run(*judged, *REPEATABLE, "--experiment", "exp/embedded/embedded")
    assert "The model is that of exp/embedded/embedded" in printed
    expected, found = (
        {
            (row["phase"], row["backend"]): (row["eer_percent"], row["cllr"])
            for row in json.loads((tmp_path / f"exp/{name}/embedded/results.json").read_text())
            if (row["trials"], row["subset"]) == ("trials", "all")
        }
        for name in ("embedded", "mine")
    )
    assert found == expected
    assert len(found) == len(PHASES) * len(BACKENDS)
    assert "(stale)" not in printed
    assert untouched == {path: path.stat().st_mtime_ns for path in untouched}


def test_each_command_logs_beside_what_it_makes(finished: tuple[Recipe, str]) -> None:
    folder = finished[0].folder
    logs = {path.name for path in folder.glob("exp/embedded/embedded/log/*.log")}
    assert {"2.train_network.log", "4.extract_embeddings.log", "6.compute_metrics.log"} <= logs
    assert {path.name for path in folder.glob("data/embedded/log/*.log")} == {
        "0.prepare_embedded.log", "0.validate_data_dir.log",
        "1.compute_features.log", "1.validate_data_dir.log",
    }  # fmt: skip
    text = (folder / "exp/embedded/embedded/log/3.train_network.log").read_text()
    assert text.count("# train_network.py") == 2  # fine-tuning, and its control
    assert "finetuning epoch 2/2" in text


def test_the_experiment_s_own_x_vectors_are_those_of_its_last_phase(
    finished: tuple[Recipe, str],
) -> None:
    experiment = finished[0].folder / "exp/embedded/embedded"
    for part in ("train", "test"):
        link = experiment / f"xvectors_{part}"
        assert link.resolve() == (experiment / f"finetuning/xvectors_{part}").resolve()


def test_plda_is_given_and_adapted_by_options(finished: tuple[Recipe, str], tmp_path: Path) -> None:
    """PLDA of one network scores that network alone; the floors of statistics adapt nothing."""
    recipe = copy_finished(finished, tmp_path)
    shutil.copytree(tmp_path / "exp/embedded/embedded/finetuning/plda", tmp_path / "of mine")
    asked = ("--adaptation-set", "data/embedded/test", "--backend-dir", "of mine")
    printed = recipe.run(*REPEATABLE_TINY, *asked, "--stage", "4", "--stop-stage", "5")
    assert "PLDA is adapted to the test set itself" in printed
    scored = {path.name for path in (tmp_path / "exp/embedded/embedded/scores").glob("*.trials.*")}
    assert {name for name in scored if name.endswith("given_plda")} == {
        "finetuning.trials.given_plda", "finetuning.trials.adapted_given_plda"
    }  # fmt: skip
    adapted = {name.partition(".")[0] for name in scored if name.endswith(".adapted_plda")}
    assert adapted == {*PHASES[2:]}


def test_the_fusion_of_the_pages_makes_rows(finished: tuple[Recipe, str], tmp_path: Path) -> None:
    (block,) = [block for block in RUN_BLOCKS if "fuse_scores.py" in block.text]
    recipe = copy_finished(finished, tmp_path)
    run_block(recipe, block)
    rows = json.loads((tmp_path / "exp/embedded/fusion/results.json").read_text())
    found = {(row["phase"], row["backend"]) for row in rows}
    assert found == {("scores", "fusion"), *(("embeddings", backend) for backend in BACKENDS)}
    assert (tmp_path / "exp/embedded/fusion/report.html").is_file()


@pytest.mark.parametrize(
    ("stage", "remedy"),
    [
        (1, "run stage 0"),
        (2, "run stage 1"),
        (3, "run stage 2"),
        (5, "run stage 4"),
        (6, "stage 5"),
    ],
)
def test_missing_input_names_the_stage_that_makes_it(
    finished: tuple[Recipe, str], tmp_path: Path, stage: int, remedy: str
) -> None:
    recipe = Recipe(tmp_path, tiny=True)
    if stage > 1:  # what all stages after 1 need is there
        (recipe.folder / "data").symlink_to(finished[0].folder / "data")
    if stage == 2:
        (recipe.folder / "data").unlink()
        shutil.copytree(finished[0].folder / "data", recipe.folder / "data")
        (recipe.folder / "data/embedded/train/feats.scp").unlink()
    printed = recipe.run(
        *REPEATABLE_TINY, "--stage", str(stage), "--stop-stage", str(stage), expect=1
    )
    assert remedy in printed.splitlines()[-1]


def test_a_trial_with_an_unknown_utterance_is_named(
    finished: tuple[Recipe, str], tmp_path: Path
) -> None:
    recipe = copy_finished(finished, tmp_path)
    with (recipe.folder / "data/embedded/test/trials").open("a") as file:
        file.write("emb0000-001 nobody-007 nontarget\n")
    printed = recipe.run(*REPEATABLE_TINY, "--stage", "5", "--stop-stage", "5", expect=1)
    assert "nobody-007" in printed.splitlines()[-1]


def test_what_was_made_by_another_config_is_refused_or_marked(
    finished: tuple[Recipe, str], tmp_path: Path
) -> None:
    recipe = copy_finished(finished, tmp_path)
    with (tmp_path / "conf/embedded.yaml").open("a") as file:
        file.write("extraction: {method: crops, num_crops: 2, crop_frames: 40}\n")
    scored_by = (tmp_path / "exp/embedded/embedded/scores/config.yaml").read_text()
    printed = recipe.run(*REPEATABLE_TINY, "--stage", "5", expect=1)
    assert "extraction.crop_frames 300, not 40: run stage 4 anew" in printed.splitlines()[-1]
    assert (tmp_path / "exp/embedded/embedded/scores/config.yaml").read_text() == scored_by
    printed = recipe.run(*REPEATABLE_TINY, "--stage", "6")
    assert "extraction.crop_frames 300, not 40: finetuning by " in printed
    assert printed.count("(stale)") >= len(BACKENDS) * len(PHASES[2:])


def write_speakers(folder: Path, seed: int, num_speakers: int) -> None:
    """Folders of speakers, 5 utterances of noise each, of a colour of the speaker's own."""
    random = np.random.default_rng(seed)
    for speaker in range(num_speakers):
        of_speaker = folder / f"speaker {speaker}"
        of_speaker.mkdir(parents=True)
        colour = random.normal(0, 1, 64)
        for number in range(5):
            noise = np.convolve(random.normal(0, 0.1, 24000), colour, "same")
            sound = noise * (np.sin(np.arange(24000) / 3000) > 0) / np.abs(noise).max()
            soundfile.write(of_speaker / f"{number}.flac", sound, 16000)


@pytest.mark.full
def test_several_corpora_train_together_and_have_rows_of_their_own(tmp_path: Path) -> None:
    """Two folders, one of them with a bad file."""
    recipe = Recipe(tmp_path)
    write_speakers(tmp_path / "speakers", 0, 8)
    write_speakers(tmp_path / "others", 1, 4)
    (tmp_path / "speakers/speaker 0/broken.wav").write_bytes(b"RIFF, but no more")
    alone = ("--corpus", "folder", "--stop-stage", "0")
    printed = recipe.run(*alone, "--corpus-dir", "speakers")
    assert "broken.wav: unreadable" in printed
    assert re.search(r"1 of \d+ files are bad and left out", printed)
    recipe.run(*alone, "--corpus-dir", "others", "--name", "mine")
    config = ("--config", "tests/support/tiny.yaml")
    printed = recipe.run("--corpus", "folder,mine", *config, *ONE_PHASE)
    rows = json.loads((tmp_path / "exp/folder+mine/tiny.finetuning=null/results.json").read_text())
    lists = ["folder", "folder_one_plus_99", "mine", "mine_one_plus_99"]
    assert [(row["phase"], row["trials"], row["backend"]) for row in rows] == [
        (phase, name, backend) for phase in PHASES[:4] for name in lists for backend in BACKENDS
    ]
    tables = (tmp_path / "exp/folder+mine/tiny.finetuning=null/results.txt").read_text()
    for name in ("folder", "mine"):
        assert re.search(rf"^phase .* {name} .* mean$", printed, re.MULTILINE)
        assert f"\n{name}\nphase " in f"\n{tables}"
        joined = (tmp_path / f"data/folder+mine/test/trials_{name}").read_text()
        of_corpus = (tmp_path / f"data/{name}/test/trials").read_text()
        assert joined.replace(f"{name}_", "") == of_corpus


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--corpus", "a,b", "--corpus-dir", "x"], "--corpus a,b: --*-dir,"),
        (["--corpus", "a,b", "--prepare-options", "x"], "are for each of them, alone"),
        (["--corpus", "a,"], "--corpus a,: expected names with commas between"),
        (["--corpus", "a,../b"], "--corpus a,../b: expected names with commas between"),
        (["--name", "x/y"], "--name x/y: expected a folder's name"),
        (["--name", "x,y"], "--name x,y: expected a folder's name"),
    ],
)
def test_names_and_options_of_several_corpora_are_checked_before_any_work(
    tmp_path: Path, options: list[str], told: str
) -> None:
    (line,) = Recipe(tmp_path).run(*options, expect=1).splitlines()
    assert told in line


@pytest.mark.skipif(not SPEECH_CORPORA, reason="SPEECH_CORPORA names no folder of real speech")
def test_librispeech_becomes_features_that_kaldi_reads(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    options = ("--corpus", "librispeech", "--corpus-dir", f"{SPEECH_CORPORA}/LibriSpeech")
    recipe.run(*options, "--config", "tests/support/tiny.yaml", "--stop-stage", "1")
    for folder in (tmp_path / "data/librispeech/train", tmp_path / "data/librispeech/test"):
        assert validate(folder) == "valid"
        assert read_all(folder)["feats.scp"] > 10


@pytest.mark.full
@pytest.mark.skipif(not SPEECH_CORPORA, reason="SPEECH_CORPORA names no folder of real speech")
def test_real_speech_runs_to_the_end(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    folders = [f"{SPEECH_CORPORA}/commands_ar/{part}" for part in ("train", "dev")]
    options = ("--corpus", "folder", "--train-dir", folders[0], "--test-dir", folders[1])
    recipe.run(*options, "--config", "tests/support/tiny.yaml", *ONE_PHASE)
    rows = json.loads((tmp_path / "exp/folder/tiny.finetuning=null/results.json").read_text())
    floor = next(row for row in rows if row["phase"] == "statistics")
    assert floor["eer_percent"] < 25  # the channel alone tells these few speakers apart
