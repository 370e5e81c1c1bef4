"""Every damage of a table or trial list is refused in one line: file, line of the file, remedy."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.validated_folders import Damage, validate


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

# Name, damage, line (0: it has none) or other place, words of the message: keys, values, remedies.
OF_TABLES: list[tuple[str, Damage, int | str, str]] = [
    ("data/test/utt2spk", unsorted, 2, "LC_ALL=C sort"),
    ("data/test/feats.scp", unsorted, 2, "LC_ALL=C sort"),
    ("data/test/vad.scp", duplicate, 2, "'spk0-0' .*twice"),
    ("data/test/utt2dur", shorter, 6, "utt2spk, .*'spk2-1', .*utt2dur"),
    ("data/test/feats.scp", shorter, 6, "'spk2-1', .*feats.scp .*stage 1"),
    ("data/test/spk2utt", shorter, 3, "utt2spk, .*'spk2'"),
    ("data/test/spk2gender", shorter, 3, "spk2utt, .*'spk2', .*spk2gender"),
    ("data/test/spk2utt", carriage, 1, "dos2unix"),
    ("data/test/wav.scp", carriage, 1, "dos2unix"),
    ("data/test/trials", carriage, 1, "dos2unix"),
    ("data/test/wav.scp", cut, 6, "echo >>"),
    ("data/test/trials", cut, 3, "echo >>"),
    ("data/test/text", latin, 7, "UTF-8 .*iconv"),
    ("data/test/text", replace(2, "words", "#0"), 2, "'some #0', .*<s>"),
    ("data/test/wav.scp", replace(3, " /", " "), 3, "'spk1-0' .*audio/spk1/0.wav'"),
    ("data/test/wav.scp", replace(1, " /", " ~/"), 1, "'spk0-0' .*'~/.*tilde"),
    ("data/test/utt2dur", replace(4, " 0.", " -0."), 4, "'-0.*above 0"),
    ("data/test/feats.scp", Path.unlink, 0, "vad.scp .*stage 1"),
    ("data/test/vad.scp", Path.unlink, 0, "feats.scp .*stage 1"),
    ("data/test/utt2num_frames", Path.unlink, 0, "stage 1"),
    ("data/test/wav.scp", Path.unlink, 0, "stage 0"),
    ("data/test/feats.scp", relative, 3, "absolute path .*stage 1"),
    ("data/test/vad.scp", replace(1, ".ark:", ".ark "), 1, "No such file.*stage 1"),
    ("data/test/vad.scp", replace(2, ".ark:", ".ork:"), 2, "No such file.*stage 1"),
    ("data/test/feats.scp", replace(2, "feats.1", "vad.1"), 2, "damaged archive.*stage 1"),
    ("data/test/utt2num_frames", replace(5, " ", " 1"), "feats.scp, line 5", "frames.*stage 1"),
    ("data/test/trials", replace(2, "spk0", "nobody"), 2, "'nobody'"),
    ("data/test/trials", replace(3, "spk2-1", "x"), 3, "'x'"),
    ("data/test/trials", replace(3, "nontarget", "other"), 3, "'enroll test target.*other'"),
    ("data/test/enroll_spk2utt", replace(1, "spk0-1", "x"), 1, "'x' of 'model'"),
    ("x/xvector.scp", Path.unlink, 0, "stage 4"),
    ("x/xvector.scp", unsorted, 2, "LC_ALL=C sort"),
    ("x/xvector.scp", relative, 3, "absolute path .*stage 4"),
    ("x/spk_xvector.scp", duplicate, 2, "'spk0' .*twice"),
    ("x/num_utts.ark", shorter, 3, "'spk2', .*num_utts.ark .*stage 4"),
    ("x/num_utts.ark", replace(2, "2", "0"), 2, "'0', .*above 0"),
    ("x/num_utts.ark", replace(2, "2", "2.5"), 2, "'2.5', .*above 0"),
    ("x/num_utts.ark", cut, 3, "echo >>"),
    ("x/xvector_crops.scp", shorter, 6, "'spk2-1', .*xvector_crops.scp .*stage 4"),
    ("x/xvector_crops.ark", Path.unlink, "xvector_crops.scp, line 1", "No such file.*stage 4"),
]


@pytest.mark.parametrize(
    ("name", "damage", "line", "words"),
    OF_TABLES,
    ids=[f"{name} {number}" for number, (name, *_) in enumerate(OF_TABLES)],
)
def test_a_damaged_table_is_named_with_line_and_remedy(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    damage: Damage,
    line: int | str,
    words: str,
) -> None:
    data_dir, table = (folder / name).parent, Path(name).name
    damage(data_dir / table)
    place = line if isinstance(line, str) else f"{table}, line {line}" if line else table
    with pytest.raises(ValueError, match=rf"^{re.escape(f'{data_dir}/{place}')}\b[^\n]*{words}"):
        validate(monkeypatch, data_dir)


@pytest.mark.parametrize(("count", "is_wrong"), [("3", True), ("2 ", False)])
def test_numbers_of_utterances_are_those_of_the_vectors(
    folder: Path, monkeypatch: pytest.MonkeyPatch, count: str, is_wrong: bool
) -> None:
    replace(2, "2\n", f"{count}\n")(folder / "x/num_utts.ark")
    if not is_wrong:  # as Kaldi ends lines
        validate(monkeypatch, folder / "x")
        return
    with pytest.raises(ValueError, match=r"/x/spk2utt, line 2: .*xvector.scp .*num_utts.ark"):
        validate(monkeypatch, folder / "x")
    (folder / "x/spk2utt").unlink()
    with pytest.raises(ValueError, match=r"/num_utts.ark: 7 .*\b6: .*stage 4"):
        validate(monkeypatch, folder / "x")
