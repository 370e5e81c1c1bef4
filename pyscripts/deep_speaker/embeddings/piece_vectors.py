"""Vectors of pieces, kept over runs: what is there and current need not be embedded again."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from deep_speaker.kaldi.archives import ArchiveWriter, write_scp
from deep_speaker.kaldi.tables import read_optional_table, write_table
from deep_speaker.system.files import replacing_file, replacing_path

SCP = "xvector.scp"
ORIGINS = "made_of"  # a table: of each key, a hash of what its vector was made of


class PieceVectors:
    """A folder of vectors in arks, to which others are added; it is whole after each `add`."""

    def __init__(self, folder: Path) -> None:
        """Open a folder, or begin one."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._entries = read_optional_table(folder / SCP)
        self._origins = read_optional_table(folder / ORIGINS)

    def has(self, key: str, origin: str) -> bool:
        """Tell whether the vector of a key is there, and made of the same."""
        return key in self._entries and self._origins.get(key) == origin

    def add(self, vectors: Mapping[str, np.ndarray], origins: Mapping[str, str]) -> None:
        """Add vectors (dim,), in place of what their keys had, with the hashes of their origins."""
        number = 1 + len(list(self.folder.glob("xvector.*.ark")))
        ark = self.folder / f"xvector.{number}.ark"
        with replacing_path(ark) as partial, ArchiveWriter(partial, ark) as writer:
            for key, vector in vectors.items():
                writer.write(key, vector)
        self._entries |= writer.scp
        # In this order: a stop in between leaves vectors that are made again, and none that pass
        # for what was there before.
        if self._origins.keys() & origins.keys():
            self._origins = {k: v for k, v in self._origins.items() if k not in origins}
            write_table(self.folder / ORIGINS, self._origins)
        self._origins |= origins
        write_scp(self.folder / SCP, self._entries)
        write_table(self.folder / ORIGINS, self._origins)

    def note(self, name: str, text: str) -> None:
        """Write a line for readers into a file of the folder."""
        with replacing_file(self.folder / name) as file:
            file.write(f"{text}\n")
