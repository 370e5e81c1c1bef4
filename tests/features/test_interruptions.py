"""Interruptions of stage 1: the previous state stays, or the next run completes the new one."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lhotse import RecordingSet, SupervisionSet

from deep_speaker.corpora import manifest_lines
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.features import extraction, shards, work
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi import data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.trials import lists, removal
from deep_speaker.trials.lists import read_trials
from support import kaldi_checks
from support.speech import EXPERIMENT
from support.stage_1_folders import BAD, failing, make_bad, without_shards

VOICE = EXPERIMENT.voice_activity.model_copy(update={"context": 3})
OTHER = EXPERIMENT.model_copy(update={"voice_activity": VOICE})


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
    before = without_shards(folder)
    if place == "worker":
        error: type[BaseException] = MemoryError
        # Forked workers have this too.
        fail = failing(shards.analyse, 5, MemoryError)
        monkeypatch.setattr(shards, "analyse", fail)
    else:
        error = KeyboardInterrupt
        monkeypatch.setattr(work, "map_in_processes", interrupt_between_jobs)
    with pytest.raises(error):
        compute_data_dir(folder, OTHER, 3)
    assert without_shards(folder) == before


def test_a_full_disk_in_the_tables_leaves_the_previous_state(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_data_dir(folder, EXPERIMENT, 2)
    before = without_shards(folder)
    full = failing(extraction.LengthFinder.look, 1, OSError)
    monkeypatch.setattr(extraction.LengthFinder, "look", full)
    with pytest.raises(OSError, match="injected"):
        compute_data_dir(folder, EXPERIMENT, 3)
    assert without_shards(folder) == before


@pytest.mark.parametrize("name", extraction.TABLES)
def test_an_interruption_between_the_tables_leaves_no_feats_scp(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    compute_data_dir(folder, EXPERIMENT, 2)
    replace = Path.replace

    def stop_at(path: Path, target: Path) -> Path:
        if target == folder / name:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop_at)
        with pytest.raises(KeyboardInterrupt):
            compute_data_dir(folder, EXPERIMENT, 3)
    assert not (folder / "feats.scp").exists()  # what every reader of the others looks for
    compute_data_dir(folder, EXPERIMENT, 3)
    assert kaldi_checks.validate(folder) == "valid"


STEPS: list[tuple[Any, str, int]] = [
    (extraction, "replacing_files", 1),
    (extraction, "write_options", 1),
    (data_dir, "write_rows", 2),
    (removal, "write_trials", 1),
    (removal, "write_trials", 2),
    (manifest_lines, "_write_lines", 1),
    (manifest_lines, "_write_lines", 2),
    (manifest_lines, "_write_lines", 3),
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
