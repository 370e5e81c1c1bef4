"""Who is enrolled: a folder with one small file per speaker, which processes may share.

voices/Ana-1f0c9b6a2d35.json              see `speaker_files`
voices/Ana-1f0c9b6a2d35.5b1c0e9f22aa.wav  a recording, where it was asked to be kept
voices/.lock                              held while a process changes something
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from deep_speaker.system.files import replacing_file
from deep_speaker.voices.speaker_files import (
    SUFFIX,
    Speaker,
    clean_name,
    file_stem,
    read_speaker,
    write_speaker,
)

SAME_RECORDING = 1e-3  # distance of vectors; processors and lossless formats change less
LOCK = ".lock"


@dataclass(frozen=True)
class SpeakerStore:
    """The speakers enrolled in a folder.

    Voices are biometric data: only the owner may look into a folder made here.

    Attributes:
        folder: which need not exist before somebody is enrolled.
        model_id: of the model whose vectors are taken and given; "": of any model, to list, remove
            and rename.
        model_name: for messages.
    """

    folder: Path
    model_id: str = ""
    model_name: str = ""

    def speakers(self) -> list[Speaker]:
        """Return who is enrolled, by name.

        Raises:
            ValueError: no such folder; a file in it is damaged, or of another model.
        """
        self._check_folder()
        # Not ._x.json, which a Mac writes beside x.json on other disks.
        found = [self._read(path) for path in sorted(self.folder.glob(f"[!.]*{SUFFIX}"))]
        return sorted((each for each in found if each), key=lambda speaker: speaker.name)

    def add(self, name: str, vectors: np.ndarray, sources: Sequence[str]) -> list[bool]:
        """Add examples to a speaker, new or enrolled.

        Args:
            vectors: unit length, shape (examples, dim).
            sources: what each came from, for people.

        Returns:
            Whether each example was new: that of a recording which is there already is not added.

        Raises:
            ValueError: see `clean_name` and `speakers`.
        """
        name = clean_name(name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            self.speakers()  # refuses a folder of another model
            old = self._read(self._path(name))
            known = [] if old is None else list(old.vectors)
            all_sources = [] if old is None else list(old.sources)
            is_new = []
            for vector, source in zip(vectors, sources, strict=True):
                is_new.append(
                    all(np.linalg.norm(vector - other) > SAME_RECORDING for other in known)
                )
                if is_new[-1]:
                    known.append(vector)
                    all_sources.append(source)
            speaker = Speaker(name, np.stack(known), all_sources, self.model_id, self.model_name)
            write_speaker(self.folder, speaker)
        return is_new

    def keep_audio(self, name: str, recording: Path) -> None:
        """Copy a recording of an enrolled speaker beside the speaker's file.

        Raises:
            ValueError: nobody of this name is enrolled.
        """
        content = recording.read_bytes()
        with self._locked():
            stem = self._path(self._enrolled(name)).stem
            kept = f"{stem}.{sha256(content).hexdigest()[:12]}{recording.suffix.lower()}"
            with replacing_file(self.folder / kept, "wb") as file:
                file.write(content)

    def remove(self, name: str) -> None:
        """Remove a speaker, with the recordings that were kept.

        Raises:
            ValueError: nobody of this name is enrolled.
        """
        with self._locked():
            path = self._path(self._enrolled(name))
            for kept in [path, *self._recordings(path)]:
                kept.unlink()

    def rename(self, old: str, new: str) -> None:
        """Give a speaker another name.

        Raises:
            ValueError: nobody has the old name, or somebody has the new one.
        """
        with self._locked():
            path, new = self._path(self._enrolled(old)), clean_name(new)
            if self._path(new).exists():
                raise ValueError(f"{self.folder}: {new} is enrolled already: take another name")
            speaker = read_speaker(path)
            write_speaker(self.folder, replace(speaker, name=new))
            for recording in self._recordings(path):
                kept_as = recording.name.replace(path.stem, file_stem(new), 1)
                recording.rename(recording.with_name(kept_as))
            path.unlink()

    def _check_folder(self) -> None:
        if not self.folder.is_dir():
            raise ValueError(
                f"{self.folder}: no such folder of speakers: enrol somebody into it first"
            )

    def _path(self, name: str) -> Path:
        return self.folder / (file_stem(name) + SUFFIX)

    def _recordings(self, path: Path) -> list[Path]:
        """Return the recordings kept beside the file of a speaker."""
        return [kept for kept in self.folder.glob(f"{path.stem}.*") if kept != path]

    def _enrolled(self, name: str) -> str:
        """Return the clean name of somebody enrolled."""
        if not self._path(clean_name(name)).exists():
            names = ", ".join(speaker.name for speaker in self.speakers()) or "nobody"
            raise ValueError(f"{self.folder}: no speaker {name}: enrolled are {names}")
        return clean_name(name)

    def _read(self, path: Path) -> Speaker | None:
        """Read a file; None where there is none, perhaps as it was removed this moment."""
        try:
            speaker = read_speaker(path)
        except FileNotFoundError:
            return None
        if self.model_id and speaker.model_id != self.model_id:
            raise ValueError(
                f"{path}: enrolled by the model {speaker.model_name} ({speaker.model_id}), whose "
                f"vectors {self.model_name or 'this model'} ({self.model_id}) cannot compare: take "
                "that --model, or enrol into another folder"
            )
        return speaker

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let no other process change the folder meanwhile."""
        self._check_folder()
        with (self.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
            yield
