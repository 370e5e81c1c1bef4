"""The command refuses every damage in one line: file, line of the file, remedy."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import validate_data_dir
from deep_speaker.config import Experiment
from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.embeddings.xvectors import fill_xvectors, write_crops
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.archives import ArchiveTable, ArchiveWriter
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table, write_table
from deep_speaker.trials.models import write_models
from support.speech import EXPERIMENT, make_utterances

ROOT = Path(__file__).parents[2]
TRIALS = "spk0-0 spk0-1 target\nspk0 spk1-0 nontarget\nmodel spk2-1 nontarget\n"
Damage = Callable[[Path], None]


def plain(experiment: Experiment) -> Experiment:
    """The same with float32 features."""
    features = experiment.features.model_copy(update={"compression": "none"})
    return experiment.model_copy(update={"features": features})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test set after stage 1, the same in float32, and an x-vector directory with crops."""
    folder = tmp_path_factory.mktemp("prepared")
    utterances = sorted(make_utterances(folder / "audio"), key=lambda item: item.id)
    for name, experiment in (("data", EXPERIMENT), ("plain", plain(EXPERIMENT))):
        data_dir = folder / name / "test"
        write_data_dir(data_dir, utterances)
        write_manifests(data_dir, utterances)
        compute_data_dir(data_dir, experiment, 1)
        write_models(data_dir, {"model": ["spk0-0", "spk0-1"]})
        (data_dir / "trials").write_text(TRIALS)
    write_vectors(folder / "x", {item.id: item.speaker for item in utterances})
    return folder


def write_vectors(output: Path, utt2spk: dict[str, str]) -> None:
    output.mkdir()
    rng = np.random.default_rng(0)
    crops = [(key, rng.normal(size=(3, 8)).astype(np.float32)) for key in utt2spk]
    fill_xvectors(output, output, write_crops(output, output, crops), utt2spk)


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy of one's own, into whose arks its scp files point."""
    shutil.copytree(prepared, tmp_path / "all")
    for scp in (tmp_path / "all").rglob("*.scp"):
        scp.write_text(scp.read_text().replace(str(prepared), str(tmp_path / "all")))
    return tmp_path / "all"


def validate(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["validate_data_dir.py", *map(str, folders)])
    validate_data_dir.main()


def test_good_directories_are_told_in_a_line_each(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = sum(int(count) for count in read_table(folder / "data/test/utt2num_frames").values())
    validate(monkeypatch, folder / "data/test", folder / "plain/test", folder / "x")
    held = f"6 utterances, 3 speakers, 0.00 h, {frames} frames of 64 values, 3 trials in 1 lists"
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}/data/test: {held}",
        f"{folder}/plain/test: {held}",
        f"{folder}/x: 6 x-vectors of 8 dimensions, 3 speakers, 18 crops",
    ]


def test_a_directory_before_stage_1_and_one_without_crops_are_good(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("feats.scp", "vad.scp", "utt_cmvn.scp", "utt2num_frames", "trials"):
        (folder / "data/test" / name).unlink()
    for name in ("spk2utt", "xvector_crops.scp"):
        (folder / "x" / name).unlink()
    validate(monkeypatch, folder / "data/test", folder / "x")
    printed = capsys.readouterr().out
    assert "6 utterances, 3 speakers, 0.00 h\n" in printed
    assert "6 x-vectors of 8 dimensions, 3 speakers\n" in printed


def test_a_model_has_a_name_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_models(folder / "data/test", {"model": ["spk0-0"], "spk1-0": ["spk1-1"]})
    with pytest.raises(ValueError, match=r"enroll_spk2utt, line 2: 'spk1-0' is an utterance's id"):
        validate(monkeypatch, folder / "data/test")


def test_utterances_have_equally_many_crops(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = list(read_table(folder / "x/xvector.scp"))
    crops = [(key, np.ones((3 - (key == keys[4]), 8), np.float32)) for key in keys]
    write_crops(folder / "x", folder / "x", crops)
    with pytest.raises(ValueError, match=r"xvector_crops.scp, line 5: .*2 crops, others 3: run st"):
        validate(monkeypatch, folder / "x")


def test_the_command_ends_in_one_line_and_loads_no_torch(folder: Path) -> None:
    program = ROOT / "pyscripts/validate_data_dir.py"
    (folder / "data/test/vad.scp").unlink()
    result = subprocess.run(
        [sys.executable, "-X", "importtime", program, folder / "x", folder / "data/test"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout.startswith(f"{folder}/x: 6 x-vectors")
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"validate_data_dir.py: error: {folder}/data/test/vad.scp is missing")
    imported = {line.split("|")[-1].strip() for line in result.stderr.splitlines()}
    assert "numpy" in imported
    assert not imported & {"torch", "scipy", "lhotse", "pydantic"}


# Damages of files of text


def edit(change: Callable[[list[str]], list[str]]) -> Damage:
    def apply(path: Path) -> None:
        lines = path.read_text().splitlines(keepends=True)
        path.write_bytes("".join(change(lines)).encode())

    return apply


def replace(number: int, old: str, new: str) -> Damage:
    def change(lines: list[str]) -> list[str]:
        assert old in lines[number - 1]
        return [*lines[: number - 1], lines[number - 1].replace(old, new, 1), *lines[number:]]

    return edit(change)


def latin(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"spk3 Zo\xeb\n")


unsorted = edit(lambda lines: [lines[1], lines[0], *lines[2:]])
duplicate = edit(lambda lines: [lines[0], *lines])
cut = edit(lambda lines: ["".join(lines)[:-1]])
carriage = edit(lambda lines: [line.replace("\n", "\r\n") for line in lines])
shorter = edit(lambda lines: lines[:-1])
relative = edit(lambda lines: [*lines[:2], re.sub(" .*", " a.ark:7", lines[2]), *lines[3:]])

# Name, damage, line (0: it has none) or other place, remedy.
OF_TABLES: list[tuple[str, Damage, int | str, str]] = [
    ("data/test/utt2spk", unsorted, 2, "sort it with LC_ALL=C sort"),
    ("data/test/feats.scp", unsorted, 2, "sort it with LC_ALL=C sort"),
    ("data/test/vad.scp", duplicate, 2, "stands there twice: remove one"),
    ("data/test/utt2dur", shorter, 6, "'spk2-1', which utt2dur lacks: remove the lines"),
    ("data/test/feats.scp", shorter, 6, "lacks: remove .*, or run stage 1 anew"),
    ("data/test/spk2utt", shorter, 3, "does not match .*, first at 'spk2': make one"),
    ("data/test/spk2gender", shorter, 3, "'spk2', which spk2gender lacks: remove"),
    ("data/test/spk2utt", carriage, 1, "carriage return: convert the file with dos2unix"),
    ("data/test/wav.scp", carriage, 1, "dos2unix"),
    ("data/test/trials", carriage, 1, "dos2unix"),
    ("data/test/wav.scp", cut, 6, "no newline at its end: .*add one"),
    ("data/test/trials", cut, 3, "no newline at its end: .*add one"),
    ("data/test/text", latin, 7, "not UTF-8 .*: convert it with iconv"),
    ("data/test/text", replace(2, "words", "#0"), 2, "without <s>, .*: correct it"),
    ("data/test/wav.scp", replace(3, " /", " "), 3, "relative path .*: make it absolute"),
    ("data/test/wav.scp", replace(1, " /", " ~/"), 1, "without a tilde: correct it"),
    ("data/test/utt2dur", replace(4, " 0.", " -0."), 4, "not a number above 0: correct it"),
    ("data/test/feats.scp", Path.unlink, 0, "though vad.scp is there: run stage 1 anew, or"),
    ("data/test/vad.scp", Path.unlink, 0, "though feats.scp is there: run stage 1 anew, or"),
    ("data/test/utt2num_frames", Path.unlink, 0, "is there: run stage 1 anew, or"),
    ("data/test/wav.scp", Path.unlink, 0, "is missing: run stage 0 first"),
    ("data/test/feats.scp", relative, 3, "not an absolute path .*: run stage 1 anew"),
    ("data/test/vad.scp", replace(1, ".ark:", ".ark "), 1, "not an absolute path .*: run stage 1"),
    ("data/test/vad.scp", replace(2, ".ark:", ".ork:"), 2, "cannot be read .*: run stage 1 anew"),
    ("data/test/feats.scp", replace(2, "feats.1", "vad.1"), 2, "damaged archive: .*: run stage 1"),
    (
        "data/test/utt2num_frames",
        replace(5, " ", " 1"),
        "feats.scp, line 5",
        "frames, .*: run stage 1 anew",
    ),
    ("data/test/trials", replace(2, "spk0", "nobody"), 2, "'nobody' is no .*: mend or remove"),
    ("data/test/trials", replace(3, "spk2-1", "x"), 3, "'x' is no utterance, .*: mend or remove"),
    ("data/test/trials", replace(3, "nontarget", "other"), 3, "expected 'enroll test target"),
    ("data/test/trials", replace(1, "target", "nontarget"), 0, "are both needed: add"),
    ("data/test/enroll_spk2utt", replace(1, "spk0-1", "x"), 1, "'x' of 'model' .*: mend or"),
    ("x/xvector.scp", Path.unlink, 0, "is missing: run stage 4 first"),
    ("x/xvector.scp", unsorted, 2, "sort it with LC_ALL=C sort"),
    ("x/xvector.scp", relative, 3, "not an absolute path .*: run stage 4 anew"),
    ("x/spk_xvector.scp", duplicate, 2, "stands there twice: remove one"),
    ("x/num_utts.ark", shorter, 3, "'spk2', which num_utts.ark lacks: .*run stage 4 anew"),
    ("x/num_utts.ark", replace(2, "2", "0"), 2, "not a whole number above 0: correct it"),
    ("x/num_utts.ark", replace(2, "2", "2.5"), 2, "not a whole number above 0: correct it"),
    ("x/num_utts.ark", cut, 3, "no newline at its end: .*add one"),
    ("x/xvector_crops.scp", shorter, 6, "'spk2-1', which xvector_crops.scp lacks: .*stage 4"),
    (
        "x/xvector_crops.ark",
        Path.unlink,
        "xvector_crops.scp, line 1",
        "cannot be read .*: run stage 4 anew",
    ),
]


@pytest.mark.parametrize(
    ("name", "damage", "line", "remedy"),
    OF_TABLES,
    ids=[f"{name} {number}" for number, (name, *_) in enumerate(OF_TABLES)],
)
def test_a_damaged_table_is_named_with_line_and_remedy(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    damage: Damage,
    line: int | str,
    remedy: str,
) -> None:
    data_dir, table = (folder / name).parent, Path(name).name
    damage(data_dir / table)
    place = line if isinstance(line, str) else f"{table}, line {line}" if line else table
    with pytest.raises(ValueError, match=rf"^{re.escape(f'{data_dir}/{place}')}\b[^\n]*{remedy}"):
        validate(monkeypatch, data_dir)


@pytest.mark.parametrize(("count", "told"), [("3", "line 2: does not match"), ("2 ", "")])
def test_numbers_of_utterances_are_those_of_the_vectors(
    folder: Path, monkeypatch: pytest.MonkeyPatch, count: str, told: str
) -> None:
    replace(2, "2\n", f"{count}\n")(folder / "x/num_utts.ark")
    if not told:  # as Kaldi ends lines
        validate(monkeypatch, folder / "x")
        return
    with pytest.raises(ValueError, match=rf"x/spk2utt, {told} xvector.scp and num_utts.ark"):
        validate(monkeypatch, folder / "x")
    (folder / "x/spk2utt").unlink()
    with pytest.raises(ValueError, match=r"num_utts.ark: 7 utterances .* has 6: run stage 4 anew"):
        validate(monkeypatch, folder / "x")


# Damages of arks


def rewrite(change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    """A damage of the second object of an scp file: change gives what stands there instead."""

    def apply(scp: Path) -> None:
        key = list(read_table(scp))[1]
        with ArchiveWriter(scp.with_suffix(".other")) as writer:
            writer.write(key, change(ArchiveTable(scp).rows(key).copy()))
        write_table(scp, read_table(scp) | writer.scp)

    return apply


def set_first(value: float) -> Damage:
    def change(array: np.ndarray) -> np.ndarray:
        array.flat[0] = value
        return array

    return rewrite(change)


def truncate(scp: Path) -> None:
    """Cut the last byte of the second object's ark off; the file is whole up to there."""
    rewrite(lambda array: array)(scp)
    other = scp.with_suffix(".other")
    other.write_bytes(other.read_bytes()[:-1])


def compressed_nan(scp: Path) -> None:
    """2-byte compression from a minimum that is not a number."""
    path, offset = list(read_table(scp).values())[1].rsplit(":", 1)
    data = bytearray(Path(path).read_bytes())
    data[int(offset) + 6 : int(offset) + 10] = np.float32(np.nan).tobytes()
    Path(path).write_bytes(data)


double, integer = rewrite(lambda a: a.astype(float)), rewrite(lambda a: a[:, 0].astype(np.int32))
OF_ARKS: list[tuple[str, Damage, str]] = [
    ("plain/test/feats.scp", set_first(np.nan), "NaN or infinite values: run stage 1 anew"),
    ("plain/test/feats.scp", set_first(-np.inf), "NaN or infinite values: run stage 1 anew"),
    ("data/test/feats.scp", compressed_nan, "NaN or infinite values: run stage 1 anew"),
    ("data/test/feats.scp", double, "a double matrix, not .*: rewrite it as float32"),
    ("data/test/feats.scp", integer, "an integer vector: .*, or rewrite it as float32"),
    ("data/test/feats.scp", truncate, "damaged archive: .* file ends at .*: run stage 1 anew"),
    ("data/test/feats.scp", rewrite(lambda a: a[:-1]), "utt2num_frames has .*: run stage 1 anew"),
    ("data/test/feats.scp", rewrite(lambda a: a[:, 1:]), "63 columns, not 64: run stage 1 anew"),
    ("data/test/vad.scp", rewrite(lambda a: a[:-1]), "the features have .*: run stage 1 anew"),
    ("data/test/vad.scp", rewrite(lambda a: a.astype(np.int32)), "an integer vector: .*float32"),
    ("data/test/vad.scp", double, "a double vector, not a float32 vector: rewrite"),
    ("data/test/vad.scp", set_first(0.5), "values other than 0 and 1: run stage 1 anew"),
    ("data/test/vad.scp", set_first(np.nan), "values other than 0 and 1: run stage 1 anew"),
    ("data/test/vad.scp", truncate, "damaged archive: .*: run stage 1 anew"),
    ("data/test/utt_cmvn.scp", set_first(np.inf), "NaN or infinite values: run stage 1 anew"),
    ("data/test/utt_cmvn.scp", rewrite(lambda a: a[:1]), "1 x 65 .* not 2 x 65.*: run stage 1"),
    ("x/xvector.scp", set_first(np.nan), "NaN or infinite values: run stage 4 anew"),
    ("x/xvector.scp", rewrite(lambda a: 0 * a), "a vector of zeros .*: run stage 4 anew"),
    ("x/xvector.scp", rewrite(lambda a: a[1:]), "7 dimensions, not 8: run stage 4 anew"),
    ("x/xvector.scp", rewrite(lambda a: a.astype(np.int32)), "an integer vector: .*float32"),
    ("x/xvector.scp", rewrite(lambda a: a[None]), "a float32 matrix, not a float32 vector: "),
    ("x/spk_xvector.scp", rewrite(lambda a: a[1:]), "7 dimensions, not 8: run stage 4 anew"),
    ("x/spk_xvector.scp", set_first(np.nan), "NaN or infinite values: run stage 4 anew"),
    ("x/xvector_crops.scp", rewrite(lambda a: a[:, 1:]), "7 columns, not 8: run stage 4 anew"),
    ("x/xvector_crops.scp", rewrite(lambda a: a[0]), "a float32 vector, not a float32 matrix: "),
    ("x/xvector_crops.scp", set_first(np.nan), "NaN or infinite values: run stage 4 anew"),
]


@pytest.mark.parametrize(
    ("name", "damage", "remedy"),
    OF_ARKS,
    ids=[f"{name} {number}" for number, (name, *_) in enumerate(OF_ARKS)],
)
def test_a_damaged_ark_is_named_by_the_line_that_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: Damage, remedy: str
) -> None:
    damage(folder / name)
    place = re.escape(str(folder / name))
    with pytest.raises(ValueError, match=rf"^{place}, line 2: 'spk\d[^\n]*{remedy}"):
        validate(monkeypatch, folder / Path(name).parent)


def test_what_is_no_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="nowhere: no such folder: run the stage"):
        validate(monkeypatch, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="utt2spk is missing: run stage 0 first"):
        validate(monkeypatch, tmp_path)
