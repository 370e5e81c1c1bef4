"""deep-speaker embed: files that other programs read, of what Python's embed gives."""

import csv
import json
import shutil
from pathlib import Path

import kaldiio
import numpy as np
import pytest

import deep_speaker
from support.command_lines import Command


@pytest.mark.parametrize("suffix", [".ark", ".npz", ".csv"])
def test_embeddings_are_those_of_the_model(command: Command, model: Path, suffix: str) -> None:
    Path("more").mkdir()
    shutil.copy("b.flac", "more/a.flac")
    output = Path(f"out/embeddings{suffix}")
    files = ["a.wav", "b.flac", "more/a.flac", "a.wav"]
    answer = command("embed", "--model", model, *files, "--output", output)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == f"3 of 3 recordings embedded into {output}\n"
    if suffix == ".ark":
        found = dict(kaldiio.load_scp("out/embeddings.scp"))
    elif suffix == ".npz":
        arrays = np.load(output)
        found = dict(zip(arrays["keys"].tolist(), arrays["embeddings"], strict=True))
    else:
        with output.open(newline="") as file:
            found = {key: np.array(row, np.float32) for key, *row in list(csv.reader(file))[1:]}
    opened = deep_speaker.load(model)
    assert found.keys() == {"a", "b", "a-2"}
    for key, file_name in {"a": "a.wav", "b": "b.flac", "a-2": "b.flac"}.items():
        np.testing.assert_allclose(found[key], opened.embed(file_name), atol=1e-6)


def test_refused_recordings_are_left_out_and_said(command: Command, model: Path) -> None:
    words = ("embed", "--model", model, "--json", "--output", "x.npz")
    answer = command(*words, "a.wav", "silence.wav", "none.wav")
    assert answer.status == 1
    content = json.loads(answer.out)
    assert content["keys"] == {"a": "a.wav"}
    assert content["refused"].keys() == {"silence.wav", "none.wav"}
    assert np.load("x.npz")["embeddings"].shape == (1, 8)
    assert [line.split(": ")[2] for line in answer.err.splitlines()] == ["silence.wav", "none.wav"]


def test_where_all_are_refused_nothing_is_written(command: Command, model: Path) -> None:
    answer = command("embed", "--model", model, "silence.wav", "--output", "x.csv")
    assert answer.status == 1
    assert answer.err.splitlines()[-1].endswith("x.csv is not written")
    assert not Path("x.csv").exists()
