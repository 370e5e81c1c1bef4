"""The files of a model folder that tell how to score and decide.

M/decisions.json       `DecisionTable`, or null where the model has none; the back end's name
M/backend.safetensors  what the back end has fitted: mean, LDA, PLDA, cohort; absent for the cosine
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from deep_speaker.scoring.decision_table import DecisionTable
from deep_speaker.scoring.vector_backend import VectorBackend
from deep_speaker.system.files import read_utf8, replacing_file
from deep_speaker.system.json_text import parse_json

DECISIONS = "decisions.json"
ARRAYS = "backend.safetensors"
FORMAT_VERSION = 1
REMEDY = "write the folder anew by pyscripts/write_model.py, or fetch it anew"


def write_decisions(
    folder: Path, name: str, backend: VectorBackend, table: DecisionTable | None
) -> None:
    """Write a back end, and what is known of its scores, into a model folder.

    Args:
        name: of the back end.
    """
    # safetensors writes the memory of an array, whatever the order of its axes.
    arrays = {name: np.ascontiguousarray(array) for name, array in backend.arrays().items()}
    content = {
        "format_version": FORMAT_VERSION,
        "backend": name,
        "cohort_size": backend.cohort_size,
        "arrays": sorted(arrays),
        "decisions": table and table.to_json(),
    }
    if arrays:
        with replacing_file(folder / ARRAYS, "wb") as file:
            file.write(save(arrays))
    else:
        (folder / ARRAYS).unlink(missing_ok=True)
    with replacing_file(folder / DECISIONS) as file:
        json.dump(content, file, indent=1)
        file.write("\n")


def read_decisions(folder: Path) -> tuple[str, VectorBackend, DecisionTable | None]:
    """Return the name of a model folder's back end, the back end, and what is known of its scores.

    Raises:
        ValueError: a file is missing, damaged, or of another version.
    """
    path = folder / DECISIONS
    if not path.is_file():
        raise ValueError(f"{path}: no such file, and a model folder has one: {REMEDY}")
    arrays = folder / ARRAYS
    return parse_decisions(read_utf8(path), arrays.read_bytes() if arrays.is_file() else b"", path)


def parse_decisions(
    text: str, arrays: bytes, where: Path
) -> tuple[str, VectorBackend, DecisionTable | None]:
    """Return what the contents of the two files say, see `read_decisions`.

    Args:
        arrays: empty where there is no such file.
        where: for messages.
    """
    try:
        content = parse_json(text)
        version = content["format_version"]
        if version == FORMAT_VERSION:
            fitted = load(arrays) if arrays else {}
            backend = VectorBackend.from_arrays(fitted, content["cohort_size"])
            if sorted(backend.arrays()) != content["arrays"]:
                raise ValueError(f"{ARRAYS} has {sorted(fitted)}, not {content['arrays']}")
            table = content["decisions"]
            return content["backend"], backend, table and DecisionTable(**table)
    except Exception as error:  # a damaged file can raise nearly anything
        problem = " ".join(str(error).split())
        raise ValueError(f"{where}: damaged ({problem}): {REMEDY}") from error
    raise ValueError(f"{where}: format_version {version}, known is {FORMAT_VERSION}: {REMEDY}")
