"""What outputs were made of: a record beside them, by content, which tells stale ones.

F/made_of.json of a folder F has an entry for each file in it that was noted:

    {"finetuning.trials.plda": {"sum": "9f86...", "made_of": {"../finetuning/...": "60303..."},
                                "settings": {"scoring": {"lda_dim": 150}}, "recipe": "git 1c2d3e"}}

the sum (SHA-256) of the file itself, those of the files that it was made of, by their paths from F,
the keys of the config that decided it, and the commit of the recipe, where that is known. So a
folder may be moved with what it was made of. An entry holds of a file of that sum alone: what
another program has written in its place has no record.

An entry may have a "content": a sum over what matters of a file, such as what a table points to,
whatever the archives are called and however they are cut. What is made of it is made of that.

One call notes an output (`note_origins`), another tells what has changed since (`find_changes`).
`config.made` says what follows from it: which stage is to run anew.
"""

import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from textwrap import shorten
from typing import Any

from deep_speaker.system.files import RECIPE, read_utf8, replacing_file
from deep_speaker.system.json_text import parse_json
from deep_speaker.system.sums import content_sum, recipe_commit

RECORD = "made_of.json"
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Change:
    """What is no longer as it was when an output was made.

    Attributes:
        output: what has to be made anew.
        reason: says what has changed, as a clause.
        source: the file that has; None: the config, which has another key by now.
    """

    output: Path
    reason: str
    source: Path | None


def note_origins(
    outputs: Sequence[Path],
    inputs: Iterable[Path],
    settings: Mapping[str, Any] = NOTHING,
    contents: Mapping[Path, str] = NOTHING,  # type: ignore[assignment]
) -> None:
    """Record what some files of one folder were made of; entries of files that are gone leave.

    Args:
        settings: those keys of the config, with their values, that decided the outputs; sections
            may hold some of their keys alone.
        contents: sums over what matters of outputs, where that is not their bytes.
    """
    if not outputs:
        return
    folder = outputs[0].parent
    made_of = {os.path.relpath(path.resolve(), folder.resolve()): identify(path) for path in inputs}
    origin: dict[str, Any] = {"made_of": made_of}
    if settings:
        origin["settings"] = dict(settings)
    if commit := _commit_at_start():
        origin["recipe"] = f"git {commit}"
    known = _read_record(folder)
    entries = {name: entry for name, entry in known.items() if (folder / name).is_file()}
    for path in outputs:
        content = {"content": contents[path]} if path in contents else {}
        entries[path.name] = {"sum": content_sum(path)} | content | origin
    with replacing_file(folder / RECORD) as file:
        json.dump(entries, file, indent=1, sort_keys=True)  # the same whenever it is made
        file.write("\n")


@cache
def _commit_at_start() -> str | None:
    """Return the commit of this recipe when it was first asked for: git is called once."""
    return recipe_commit(RECIPE)


def _read_record(folder: Path) -> dict[str, dict]:
    """Return the entries of a folder; none where its record is missing or broken."""
    path = (folder / RECORD).absolute()
    try:
        status = path.stat()
        return _read_once(path, status.st_ino, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=100)
def _read_once(path: Path, number: int, size: int, changed_ns: int) -> dict[str, dict]:
    content = parse_json(read_utf8(path))
    entries = content.items() if isinstance(content, dict) else ()
    return {
        name: entry
        for name, entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("made_of"), dict)
    }


def _find_entry(output: Path, by_records: bool = False) -> dict | None:
    """Return the entry of a file, which may be a link to it; None where it has none that holds.

    Args:
        by_records: trust that the file is still that of its entry, without reading it.
    """
    path = output.resolve()
    entry = _read_record(path.parent).get(path.name)
    if entry is None or not path.is_file():
        return None
    return entry if by_records or entry.get("sum") == content_sum(path) else None


def identify(path: Path, by_records: bool = False) -> str:
    """Return the sum of a file, or of what matters of it, where that was noted."""
    entry = _find_entry(path, by_records) or {}
    return entry.get("content") or (by_records and entry.get("sum")) or content_sum(path)


def find_origin(output: Path) -> Mapping[str, str] | None:
    """Return the sums of what a file was made of, by path; None where that is not recorded."""
    entry = _find_entry(output)
    return None if entry is None else entry["made_of"]


def find_changes(
    output: Path,
    inputs: Iterable[Path] = (),
    settings: Mapping[str, Any] = NOTHING,
    by_records: bool = False,
) -> list[Change]:
    """Return what has changed since an output was made, and since that was made of which it was.

    Files that are gone tell nothing, and keys that one side lacks neither.

    Args:
        inputs: what it must have been made of if it has no record, as the outputs of other
            programs: those are then compared by the clock.
        settings: the config as it is asked for now, whole.
        by_records: read no file that has a record, but trust that it is as that says: for a look
            at many experiments. What other programs replaced is not seen then.
    """
    return list(_walk(output, inputs, settings, by_records, set()))


def _walk(
    output: Path, inputs: Iterable[Path], settings: Mapping[str, Any], by_records: bool,
    walked: set[Path],
) -> Iterator[Change]:  # fmt: skip
    if output.resolve() in walked:
        return
    walked.add(output.resolve())
    entry = _find_entry(output, by_records)
    if entry is None:
        made = output.stat().st_mtime_ns
        present = [path for path in inputs if path.is_file()]
        changed = [path for path in present if path.stat().st_mtime_ns > made]
    else:
        for text in _differing(entry.get("settings"), settings):
            yield Change(output, f"{output} was made with {text}", None)
        folder, made_of = output.resolve().parent, entry["made_of"]
        known = {Path(os.path.relpath(folder / name)): value for name, value in made_of.items()}
        present = [path for path in known if path.is_file()]
        changed = [path for path in present if identify(path, by_records) != known[path]]
    for path in changed:
        yield Change(output, f"{path} was made anew since", path)
    for path in present:
        yield from _walk(path, (), settings, by_records, walked)


def _differing(made: object, asked: Mapping, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the keys that both have with other values, as `<key> <before>, not <now>`."""
    for key, before in made.items() if isinstance(made, dict) else ():
        now = asked.get(key, before)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from _differing(before, now, (*above, key))
        elif before != now:
            values = (shorten(json.dumps(value), 60, placeholder="...") for value in (before, now))
            yield f"{'.'.join((*above, key))} {', not '.join(values)}"


def why_stale(output: Path, inputs: Iterable[Path] = ()) -> str:
    """Say what has changed since an output was made; "" where nothing is known to have.

    See `find_changes`.
    """
    return next((change.reason for change in find_changes(output, inputs)), "")


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
    foreign = [path for path in others if path.is_symlink() or find_origin(path) is None]
    for path in foreign:
        new.mkdir(exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, new / path.name, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(path, new / path.name, follow_symlinks=False)
    return [path.name for path in foreign]
