"""The file of an enrolled speaker: JSON, so that it is read without running code.

    {"format_version": 1, "name": "Ana", "model": {"id": "...", "name": "models/small"},
     "examples": [{"source": "ana1.wav", "vector": "<float32, little-endian, base64>"}]}

Its own name is made of the speaker's, which may hold any letters, and stands whole inside.
"""

import base64
import json
import re
import unicodedata
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from deep_speaker.system.files import read_utf8, replacing_file
from deep_speaker.system.json_text import parse_json

SUFFIX = ".json"
FORMAT_VERSION = 1
LONGEST_READABLE = 40  # letters of the speaker's name in that of the file


@dataclass(frozen=True)
class Speaker:
    """An enrolled speaker.

    Attributes:
        name: of any letters.
        vectors: of the examples: float32, unit length, shape (examples, dim).
        sources: what each example came from, for people.
        model_id, model_name: of the model that embedded them.
    """

    name: str
    vectors: np.ndarray
    sources: list[str]
    model_id: str
    model_name: str


def clean_name(name: str) -> str:
    """Return a speaker's name in one form, however its letters were typed.

    Raises:
        ValueError: it is empty, or holds what is no letter.

    >>> clean_name(" Ana  Müller ")
    'Ana Müller'
    """
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not cleaned or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in cleaned):
        raise ValueError(f"speaker name {name!r}: take at least one letter, and none of control")
    return cleaned


def file_stem(name: str) -> str:
    """Return the name of a speaker's file, without its suffix: of letters safe everywhere.

    >>> file_stem("Ana Müller/2")
    'Ana-M-ller-2-ece20d64924d'
    """
    readable = re.sub("[^A-Za-z0-9]+", "-", name)[:LONGEST_READABLE].strip("-")
    return f"{readable or 'speaker'}-{sha256(name.encode()).hexdigest()[:12]}"


def write_speaker(folder: Path, speaker: Speaker) -> None:
    """Write the file of a speaker, whole."""
    examples = [
        {"source": source, "vector": base64.b64encode(vector.astype("<f4").tobytes()).decode()}
        for source, vector in zip(speaker.sources, speaker.vectors, strict=True)
    ]
    content = {
        "format_version": FORMAT_VERSION,
        "name": speaker.name,
        "model": {"id": speaker.model_id, "name": speaker.model_name},
        "examples": examples,
    }
    with replacing_file(folder / (file_stem(speaker.name) + SUFFIX)) as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.write("\n")


def read_speaker(path: Path) -> Speaker:
    """Read the file of a speaker.

    Raises:
        ValueError: it is damaged, of another version, or no speaker's.
    """
    remedy = "remove it, and enrol the speaker anew"
    try:
        content = parse_json(read_utf8(path))
        version = content["format_version"]
        if version == FORMAT_VERSION:
            return parse_speaker(content, path.stem)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path}: damaged, or no speaker's ({problem}): {remedy}") from error
    raise ValueError(f"{path}: format_version {version}, known is {FORMAT_VERSION}: {remedy}")


def parse_speaker(content: dict[str, Any], stem: str) -> Speaker:
    """Return the speaker in the content of a file.

    Args:
        stem: of the file's name.

    Raises:
        ValueError: something in it is not as `write_speaker` writes it.
    """
    speaker = Speaker(
        content["name"],
        np.stack([parse_vector(example["vector"]) for example in content["examples"]]),
        [str(example["source"]) for example in content["examples"]],
        str(content["model"]["id"]),
        str(content["model"]["name"]),
    )
    if file_stem(speaker.name) != stem:
        raise ValueError(f"speaker {speaker.name!r} has the file {file_stem(speaker.name)}{SUFFIX}")
    return speaker


def parse_vector(text: str) -> np.ndarray:
    """Return a vector of unit length, shape (dim,)."""
    vector = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    if not abs(np.linalg.norm(vector) - 1) < 1e-3:
        raise ValueError("a vector whose length is not 1")
    return vector
