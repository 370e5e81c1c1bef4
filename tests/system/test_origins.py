"""What outputs were made of: stale ones by content, those of other programs by the clock."""

import json
import os
import shutil
from pathlib import Path

import pytest

from deep_speaker.system import origins
from deep_speaker.system.origins import (
    find_changes,
    find_origin,
    identify,
    keep_foreign,
    note_origins,
    why_stale,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network, vectors made of it, and scores made of these."""
    monkeypatch.chdir(tmp_path)
    for name in ("net/best.pt", "net/x/vectors", "scores/plda"):
        Path(name).parent.mkdir(exist_ok=True, parents=True)
        Path(name).write_text(name)
    note_origins([Path("net/x/vectors")], [Path("net/best.pt")])
    note_origins([Path("scores/plda")], [Path("net/x/vectors")])
    return tmp_path


SCORES, VECTORS, NETWORK = Path("scores/plda"), Path("net/x/vectors"), Path("net/best.pt")


def set_age(path: Path, seconds: float) -> None:
    """Set the time of a file's last change, so long after that of the network."""
    then = NETWORK.stat().st_mtime + seconds
    os.utime(path, (then, then))


def test_an_output_is_stale_when_what_it_was_made_of_has_other_content(folder: Path) -> None:
    assert why_stale(SCORES) == ""
    set_age(VECTORS, 100)  # written anew, with the same content
    assert why_stale(SCORES, [VECTORS]) == ""
    VECTORS.write_text("others")
    set_age(VECTORS, -100)
    assert why_stale(SCORES, [VECTORS]) == "net/x/vectors was made anew since"
    note_origins([SCORES], [VECTORS])
    assert why_stale(SCORES) == ""


def test_it_is_stale_by_what_that_was_made_of_too(folder: Path) -> None:
    NETWORK.write_text("trained on")
    assert why_stale(VECTORS) == why_stale(SCORES) == "net/best.pt was made anew since"


def test_what_is_gone_tells_nothing(folder: Path) -> None:
    NETWORK.unlink()
    assert why_stale(SCORES) == ""
    shutil.rmtree("net")
    assert why_stale(SCORES, [VECTORS]) == ""


def test_a_folder_moves_with_its_records(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("net", "scores"):
        shutil.move(name, folder / "elsewhere" / name)
    monkeypatch.chdir(folder / "elsewhere")
    assert why_stale(SCORES) == ""
    VECTORS.write_text("others")
    assert why_stale(SCORES)


def test_other_programs_outputs_are_compared_by_the_clock(folder: Path) -> None:
    foreign = Path("scores/kaldi_plda")
    foreign.write_text("")
    set_age(foreign, 50)
    for age, stale in ((40, False), (60, True)):
        set_age(VECTORS, age)
        assert bool(why_stale(foreign, [VECTORS])) == stale
    set_age(VECTORS, 40)
    NETWORK.write_text("trained on")
    assert why_stale(foreign, [VECTORS]) == "net/best.pt was made anew since"


def test_what_another_program_wrote_in_its_place_has_no_record(folder: Path) -> None:
    assert find_origin(SCORES) is not None
    SCORES.write_text("by Kaldi")
    assert find_origin(SCORES) is None


@pytest.mark.parametrize("text", ["", "[]", '{"plda": 3}', '{"plda": {"sum": 1}}', "\xff"])
def test_a_broken_record_counts_as_none(folder: Path, text: str) -> None:
    Path("scores/made_of.json").write_text(text, encoding="latin-1")
    assert find_origin(SCORES) is None
    note_origins([SCORES], [VECTORS])
    assert find_origin(SCORES)


def test_entries_of_files_that_are_gone_leave(folder: Path) -> None:
    Path("scores/lda").touch()
    note_origins([Path("scores/lda")], [])
    SCORES.unlink()
    note_origins([Path("scores/lda")], [])
    assert list(json.loads(Path("scores/made_of.json").read_text())) == ["lda"]


def test_foreign_files_are_kept_and_recorded_ones_are_not(folder: Path) -> None:
    Path("scores/models").mkdir()
    for name in ("own", "kaldi", "models/final"):
        Path("scores", name).write_text(name)
    Path("scores/link").symlink_to("nowhere")
    new = folder / "new"
    assert keep_foreign(Path("scores"), new, {"own", "made_of.json"}) == ["kaldi", "link", "models"]
    assert sorted(path.name for path in new.iterdir()) == ["kaldi", "link", "models"]
    assert (new / "models/final").read_text() == "models/final"
    SCORES.write_text("by Kaldi")
    assert "plda" in keep_foreign(Path("scores"), folder / "newer", {"own", "made_of.json"})
    Path("linked").symlink_to("scores")
    assert keep_foreign(Path("linked"), new, set()) == []


def test_settings_that_both_sides_have_are_compared(folder: Path) -> None:
    settings = {"loss": {"name": "softmax", "scale": 10}, "weights": "a", "copies": None}
    note_origins([SCORES], [VECTORS], settings)

    def reasons(**asked: object) -> list[str]:
        return [change.reason for change in find_changes(SCORES, settings=asked)]

    assert reasons(loss={"name": "softmax", "scale": 10, "margin": 2}, seed=1) == []
    assert reasons(loss={"name": "triplet", "scale": 10}) == [
        'scores/plda was made with loss.name "softmax", not "triplet"'
    ]
    assert reasons(copies={"speeds": [0.9]}) == [
        'scores/plda was made with copies null, not {"speeds": [0.9]}'
    ]
    assert find_changes(VECTORS, settings={"loss": {"scale": 20}}) == []  # which knows none


def test_what_matters_of_a_file_may_be_noted(folder: Path) -> None:
    note_origins([VECTORS], [], contents={VECTORS: "of its vectors"})
    assert identify(VECTORS) == "of its vectors"
    note_origins([SCORES], [VECTORS])
    VECTORS.write_text("the same in another form")
    assert why_stale(SCORES) == "net/x/vectors was made anew since"
    note_origins([VECTORS], [], contents={VECTORS: "of its vectors"})
    assert why_stale(SCORES) == ""
    note_origins([VECTORS], [], contents={VECTORS: "of others"})
    assert why_stale(SCORES) == "net/x/vectors was made anew since"


def test_a_link_has_the_record_of_its_file(folder: Path) -> None:
    Path("link").symlink_to(VECTORS)
    NETWORK.write_text("trained on")
    assert why_stale(Path("link")) == "net/best.pt was made anew since"


def test_records_alone_are_read_where_many_are_looked_at(folder: Path) -> None:
    note_origins([NETWORK], [])
    VECTORS.write_text("by Kaldi")
    assert find_changes(SCORES, by_records=True) == []
    assert [change.source for change in find_changes(SCORES)] == [VECTORS]
    NETWORK.write_text("trained on")
    note_origins([NETWORK], [])
    changes = find_changes(SCORES, by_records=True)
    assert [(change.output, change.source) for change in changes] == [(VECTORS, NETWORK)]


def test_the_commit_is_noted_where_there_is_git(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for commit in ("1c2d3e-dirty", None):
        monkeypatch.setattr(origins, "_commit_at_start", lambda: commit)  # noqa: B023
        note_origins([SCORES], [VECTORS])
        entry = json.loads(Path("scores/made_of.json").read_text())["plda"]
        assert entry.get("recipe") == (commit and f"git {commit}")
