"""What an earlier stage made of something else is refused, or marked, with the stage to rerun."""

import shutil
from pathlib import Path

import pytest

import write_model
from deep_speaker.config import Experiment
from deep_speaker.features.origins import note_features, sum_features
from deep_speaker.features.source import FeatureSource
from deep_speaker.kaldi.tables import read_table, write_table
from deep_speaker.networks.checkpoints import load_checkpoint, save_checkpoint
from deep_speaker.results.comparison import compare_experiments
from deep_speaker.results.stale import describe_stale
from deep_speaker.scoring.origins import check_vectors
from deep_speaker.system.origins import note_origins
from deep_speaker.voices.loading import load
from support.made_experiments import (
    EXPERIMENT,
    MADE,
    PHASES,
    TEST,
    TRAIN,
    changed,
    embed,
    fine_tune,
    judge,
    make_features,
    records,
    score,
    train_phases,
    write_data,
)
from support.training_runs import run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_data()
        train_phases()
        embed()
        score()
        assert not describe_stale(judge())
    return folder


@pytest.fixture(autouse=True)
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a copy, where all is current."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    check_vectors(EXPERIMENT, MADE, PHASES, [TRAIN, TEST])


def replace_network(phase: str) -> None:
    """Put another network in the place of a phase's, as another program may."""
    path = MADE / phase / "best.pt"
    checkpoint = load_checkpoint(path)
    checkpoint.network["affine.bias"] += 1
    save_checkpoint(path, checkpoint)


def check(experiment: Experiment = EXPERIMENT) -> None:
    check_vectors(experiment, MADE, PHASES, [TEST, TRAIN])


def test_features_of_another_wav_scp_or_segments_are_refused() -> None:
    (TRAIN / "utt2spk").write_text((TRAIN / "utt2spk").read_text())  # the same again
    FeatureSource(TRAIN, EXPERIMENT)
    table = read_table(TRAIN / "wav.scp")
    write_table(TRAIN / "wav.scp", {key: f"{value}.new" for key, value in table.items()})
    message = r"^data/mine/train/feats.scp is stale, as data/mine/train/wav.scp was made anew since"
    with pytest.raises(ValueError, match=rf"{message}: run stage 1 anew$"):
        FeatureSource(TRAIN, EXPERIMENT)
    with pytest.raises(ValueError, match=r"wav.scp was made anew since: run stages 1 to 4 anew$"):
        check()
    note_features(TRAIN)  # as stage 1 does
    check()  # the same features


def test_the_sum_of_features_tells_frames_not_archives(tmp_path: Path) -> None:
    before = sum_features(TEST)
    for path in TEST.rglob("*.ark"):
        path.rename(path.with_suffix(".moved.ark"))
    for name in ("feats.scp", "vad.scp", "utt_cmvn.scp"):
        table = read_table(TEST / name)
        here = {
            key: str(Path.cwd() / TEST / Path(value).name).replace(".ark", ".moved.ark")
            for key, value in table.items()
        }
        write_table(TEST / name, here)
    assert sum_features(TEST) == before
    note_features(TEST)
    check()
    make_features(TEST, 2)
    assert sum_features(TEST) != before
    with pytest.raises(
        ValueError, match=r"^exp/mine/tiny/statistics/xvectors_test/.* stage 4 anew"
    ):
        check()


def test_voice_activity_of_another_program_is_told() -> None:
    (TEST / "vad.scp").write_text((TEST / "vad.scp").read_text() + "more /x:1\n")
    with pytest.raises(ValueError, match=r"/test/vad.scp was made anew since: run stage 4"):
        check()


def test_fine_tuning_refuses_pre_training_by_another_config(
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = changed("pretraining", batches_per_step=2)
    told = r"^exp/mine/tiny/pretraining/best.pt was made with pretraining.batches_per_step 1, not 2"
    with pytest.raises(ValueError, match=rf"{told}: run stage 2 anew with this config"):
        fine_tune(other)
    run(TRAIN, Path("exp/mine/other/finetuning"), other, "finetuning", MADE / "pretraining/best.pt")
    fine_tune(changed("finetuning", batches_per_step=2))  # which decides nothing before
    fine_tune(changed("extraction", method="crops", num_crops=2, crop_frames=24))
    assert "stale" not in caplog.text


def test_networks_older_than_their_data_are_warned_of_and_marked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_features(TRAIN, 2)  # of the same speakers
    fine_tune()
    told = "pretraining/best.pt is stale, as data/mine/train/feats.scp was made anew since"
    assert f"{told}: run stage 2 anew" in caplog.text
    embed()
    score()
    rows = judge()
    assert {row["phase"] for row in rows if "stale" in row} == {"pretraining", "finetuning"}
    assert all("Run stages 2 to 6 anew." in line for line in describe_stale(rows))


def test_a_network_of_the_same_weights_is_the_same() -> None:
    """As one that was trained anew by a config that differs in nothing of its own."""
    path = MADE / "finetuning/best.pt"
    fine_tune(changed("scoring", lda_dim=1))
    assert load_checkpoint(path).experiment["scoring"]["lda_dim"] == 1
    embed()
    assert stale_rows() == {}


def test_x_vectors_are_refused_of_a_network_of_another_config() -> None:
    with pytest.raises(ValueError, match=r"finetuning.epochs 1, not 2: run stage 3 anew with this"):
        embed(changed("finetuning", epochs=2), "finetuning")
    with pytest.raises(ValueError, match=r"run stages 2 to 3 anew"):  # what it started from, too
        embed(changed("pretraining", epochs=2), "finetuning")


CHANGED = {
    "extraction": ("method", "crops", r"extraction.method \"whole\", not \"crops\": run stage 4"),
    "finetuning": ("epochs", 2, r"finetuning.epochs 1, not 2: run stages 3 to 4 anew with this"),
    "pretraining": ("epochs", 2, r"pretraining.epochs 1, not 2: run stages 2 to 4 anew with this"),
}


@pytest.mark.parametrize("section", CHANGED)
def test_scoring_refuses_x_vectors_by_another_config(section: str) -> None:
    key, value, told = CHANGED[section]
    with pytest.raises(ValueError, match=told):
        check(changed(section, **{key: value}))
    check(changed("scoring", lda_dim=1))


def test_scoring_refuses_x_vectors_of_another_network_or_split() -> None:
    replace_network("finetuning")
    told = r"xvectors_test/xvector.ark is stale, as exp/mine/tiny/finetuning/best.pt was made anew"
    with pytest.raises(ValueError, match=rf"{told} since: run stage 4 anew"):
        check()
    embed()
    check()
    table = read_table(TEST / "utt2spk")
    write_table(TEST / "utt2spk", dict(list(table.items())[1:]))
    with pytest.raises(ValueError, match=r"/test/utt2spk was made anew since: run stage 4"):
        check()


def stale_rows(experiment: Experiment = EXPERIMENT) -> dict[tuple[str, str], int]:
    """Return the phases and back ends of the rows that are marked, with the first stage to run."""
    return {
        (row["phase"], row["backend"]): row["stale_stage"]
        for row in judge(experiment)
        if "stale" in row
    }


ALL = {(phase, backend) for phase in PHASES for backend in ("cosine", "lda")}


def test_rows_of_other_trials_are_marked_until_scored_anew() -> None:
    trials = (TEST / "trials").read_text()
    (TEST / "trials").write_text("".join(trials.splitlines(keepends=True)[:-1]))
    assert stale_rows() == dict.fromkeys(ALL, 5)
    score()
    assert stale_rows() == {}


def test_rows_by_another_config_are_marked() -> None:
    assert stale_rows(changed("scoring", lda_dim=1)) == dict.fromkeys(ALL, 5)
    assert stale_rows(changed("scoring", backends=("lda",))) == {}
    networks = {pair: 3 for pair in ALL if pair[0] == "finetuning"}
    assert stale_rows(changed("finetuning", epochs=2)) == networks


def test_rows_of_a_network_that_was_replaced_are_marked_though_its_x_vectors_went_with_it() -> None:
    """Pre-training by another loss, and stage 6: fine-tuning is of the network before."""
    other = changed("pretraining", loss={"name": "softmax", "scale": 20})
    run(TRAIN, MADE / "pretraining", other)
    assert not (MADE / "pretraining/xvectors_test").exists()
    marked = {pair: {"pretraining": 4, "finetuning": 3}.get(pair[0]) for pair in ALL}
    assert stale_rows(other) == {pair: stage for pair, stage in marked.items() if stage}
    embed(other, "pretraining")
    fine_tune(other)
    embed(other, "finetuning")
    score(other)
    assert stale_rows(other) == {}


def test_tables_of_many_experiments_mark_what_was_scored_or_trained_since() -> None:
    def marked() -> list[str]:
        lines = compare_experiments(Path("exp")).splitlines()
        return [line for line in lines if "(stale)" in line or "Stale, as" in line]

    assert marked() == []
    score(changed("scoring", lda_dim=1))
    lines = marked()
    assert sum("| lda (stale)" in line for line in lines) == len(PHASES)
    assert "- mine/tiny: Stale, as exp/mine/tiny/scores/" in lines[-1]
    assert lines[-1].endswith("Run stage 6 anew.")
    assert not any("cosine (stale)" in line for line in lines)  # the same scores again
    judge(changed("scoring", lda_dim=1))
    assert marked() == []
    run(TRAIN, MADE / "finetuning", changed("finetuning", epochs=2), "finetuning")
    assert {line.split("|")[2].strip() for line in marked()[:2]} == {"finetuning"}


def test_a_model_is_of_one_network(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Refused where decisions would be learnt by another's; told where it is older by now."""
    words = ["write_model.py", str(MADE), "finetuning", str(MADE / "model")]
    monkeypatch.setattr("sys.argv", words)
    write_model.main()
    load(MADE)
    assert "is older" not in caplog.text
    before = (MADE / "model/weights.safetensors").read_bytes()
    run(TRAIN, MADE / "finetuning", changed("finetuning", epochs=2), "finetuning")
    load(MADE)
    told = "exp/mine/tiny/model is older, as exp/mine/tiny/finetuning/best.pt was made anew since"
    assert told in caplog.text
    embed(changed("finetuning", epochs=2))
    replace_network("finetuning")
    told = r"xvectors_train/xvector.ark is stale, as .*best.pt .*: run stage 4"
    with pytest.raises(ValueError, match=told):
        write_model.main()
    embed(changed("finetuning", epochs=2))
    scores = MADE / "scores/finetuning.calibration_trials.cosine"
    scores.touch()
    note_origins([scores], [MADE / "finetuning/best.pt"])
    replace_network("finetuning")
    shutil.rmtree(MADE / "finetuning/xvectors_train")  # as a new training does
    with pytest.raises(ValueError, match=r"cosine is stale, as .*best.pt .*: run stages 4 to 5"):
        write_model.main()
    assert (MADE / "model/weights.safetensors").read_bytes() == before


def test_an_experiment_without_records_goes_on_as_before() -> None:
    for path in records():
        path.unlink()
    table = read_table(TEST / "wav.scp")
    write_table(TEST / "wav.scp", {key: f"{value}.new" for key, value in table.items()})
    other = changed("finetuning", epochs=2)
    FeatureSource(TEST, other)
    check(other)
    assert stale_rows(other) == {}
    fine_tune(other)
