"""What outputs were made of: a record beside them, by content, which tells stale ones.

F/made_of.json of a folder F has an entry for each file in it that was noted:

    {"finetuning.trials.plda": {"sum": "9f86...", "made_of": {"../finetuning/...": "60303..."}}}

the sum (SHA-256) of the file itself, and those of the files that it was made of, by their paths
from F. So a folder may be moved with what it was made of. An entry holds of a file of that sum
alone: what another program has written in its place has no record.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from deep_speaker.system.files import read_utf8, replacing_file
from deep_speaker.system.json_text import parse_json

RECORD = "made_of.json"


def content_sum(path: Path) -> str:
    """Return the SHA-256 of a file, computed once as long as it does not change."""
    status = path.stat()
    return _sum_once(path.resolve(), status.st_size, status.st_mtime_ns)


@cache
def _sum_once(path: Path, size: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def note_origins(outputs: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Record what some files of one folder were made of; entries of files that are gone leave."""
    if not outputs:
        return
    folder = outputs[0].parent
    made_of = {
        os.path.relpath(path.resolve(), folder.resolve()): content_sum(path) for path in inputs
    }
    known = _read_record(folder)
    entries = {name: entry for name, entry in known.items() if (folder / name).is_file()}
    entries |= {path.name: {"sum": content_sum(path), "made_of": made_of} for path in outputs}
    with replacing_file(folder / RECORD) as file:
        json.dump(entries, file, indent=1, sort_keys=True)
        file.write("\n")


def _read_record(folder: Path) -> dict[str, dict]:
    """Return the entries of a folder; none where its record is missing or broken."""
    try:
        content = parse_json(read_utf8(folder / RECORD))
    except (OSError, ValueError):
        return {}
    entries = content.items() if isinstance(content, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}


def find_origin(output: Path) -> Mapping[str, str] | None:
    """Return the sums of what a file was made of, by path; None where that is not recorded."""
    entry = _read_record(output.parent).get(output.name)
    if entry is None or not output.is_file() or entry.get("sum") != content_sum(output):
        return None
    made_of = entry.get("made_of")
    return made_of if isinstance(made_of, dict) else None


def why_stale(output: Path, inputs: Iterable[Path] = ()) -> str:
    """Say which file has changed since an output was made of it; "" where none is known to have.

    By its record; what it was made of may be stale in turn. Files that are gone tell nothing.

    Args:
        inputs: what it must have been made of if it has no record, as the outputs of other
            programs: those are then compared by the clock.
    """
    origin = find_origin(output)
    if origin is None:
        made = output.stat().st_mtime_ns
        present = [path for path in inputs if path.is_file()]
        changed = [path for path in present if path.stat().st_mtime_ns > made]
    else:
        folder = output.parent.resolve()
        known = {Path(os.path.relpath(folder / name)): value for name, value in origin.items()}
        present = [path for path in known if path.is_file()]
        changed = [path for path in present if content_sum(path) != known[path]]
    if changed:
        return f"{changed[0]} was made anew since"
    return next(filter(None, map(why_stale, present)), "")


def keep_foreign(old: Path, new: Path, own: Collection[str]) -> list[str]:
    """Copy into the folder `new`, which is to replace `old`, what the recipe did not put there.

    Args:
        own: the names of the recipe's own files. Recorded ones are its own too.

    Returns:
        The names of what was copied, for a message.
    """
    if old.is_symlink() or not old.is_dir():  # a link's files stay where they are
        return []
    others = [path for path in sorted(old.iterdir()) if path.name not in own]
    foreign = [path for path in others if find_origin(path) is None]
    for path in foreign:
        new.mkdir(exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, new / path.name, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(path, new / path.name, follow_symlinks=False)
    return [path.name for path in foreign]
