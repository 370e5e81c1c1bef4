#!/usr/bin/env python3
"""Fetch VoxCeleb1 and VoxCeleb2, unpack them, and convert M4A to WAV, for prepare_voxceleb.py.

Options name the steps; a step is left out if its result is there.
--download fetches the archives, in parts, and goes on where it was stopped. The owners of VoxCeleb
give out a user and password (in the environment, VOXCELEB_USER and VOXCELEB_PASSWORD), or a URL
with a key (--url). --extract joins the parts, checks the MD5, also of archives put there by hand,
and unpacks FOLDER/<archive>.zip to FOLDER/<archive>/. --convert writes a .wav beside every .m4a in
FOLDER, by ffmpeg. --lists fetches the trial lists, iden_split.txt and the tables of speakers to
FOLDER/meta.
"""

import argparse
import hashlib
import logging
import os
import zlib
from pathlib import Path
from urllib.parse import quote
from zipfile import BadZipFile, ZipFile

from deep_speaker.system import command
from deep_speaker.system.files import replacing_directory, replacing_file
from deep_speaker.system.locks import locked
from voxceleb.conversion import convert_tree
from voxceleb.downloads import CHUNK, check_file, fetch, make_opener, read_md5sums
from voxceleb.lists import PROTOCOLS
from voxceleb.meta import META_FILES

# Of archives, parts and trial lists, as voxceleb_trainer and PaddleSpeech publish them.
MD5SUMS = Path(__file__).parent / "voxceleb" / "md5sums"
ARCHIVES = ("vox1_dev_wav", "vox1_test_wav", "vox2_dev_aac", "vox2_test_aac")
ARCHIVES_URL = "https://thor.robots.ox.ac.uk/~vgg/data/voxceleb/vox1a/{}"
LISTS = (*(names[0] for names in PROTOCOLS.values()), "iden_split.txt", *META_FILES)
LISTS_URLS = (
    "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta/{}",
    "https://mm.kaist.ac.kr/datasets/voxceleb/meta/{}",
)


def main() -> None:
    options = parse_options()
    with locked(options.folder):
        work(options)


def work(options: argparse.Namespace) -> None:
    """Do what is asked for, step by step."""
    md5sums = read_md5sums(MD5SUMS)
    if options.lists:
        fetch_lists(options.folder / "meta", md5sums)
    if options.download:
        for archive in options.archives:
            fetch_archive(options, archive, md5sums)
    if options.extract:
        extracted = [extract(options.folder, archive, md5sums) for archive in options.archives]
        if not any(extracted):
            raise ValueError(
                f"{options.folder}: none of {', '.join(options.archives)} in it, whole or in "
                "parts: fetch them with --download"
            )
    if options.convert:
        convert_tree(options.folder, options.nj)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=command.resolved_path, help="the folder to write")
    steps = ("download", "extract", "convert", "lists")
    for step in steps:
        parser.add_argument(f"--{step}", action="store_true", help="this step")
    parser.add_argument(
        "--archives", nargs="+", choices=ARCHIVES, default=ARCHIVES, help="default: all four"
    )
    parser.add_argument(
        "--url",
        default=ARCHIVES_URL,
        help="URL of the archives, with {} for a file's name (%(default)s)",
    )
    parser.add_argument(
        "--user", default=os.environ.get("VOXCELEB_USER"), help="default: $VOXCELEB_USER"
    )
    command.add_jobs_option(parser)
    options = parser.parse_args()
    if not any(getattr(options, step) for step in steps):
        raise ValueError(f"nothing to do: name at least one of --{', --'.join(steps)}")
    if "{}" not in options.url:
        options.url = options.url.rstrip("/") + "/{}"
    return options


def fetch_lists(folder: Path, md5sums: dict[str, str]) -> None:
    """Fetch all small files of VoxCeleb's site that the folder lacks."""
    folder.mkdir(exist_ok=True)
    opener = make_opener(LISTS_URLS[0], None, None)
    for name in LISTS:
        urls = [url.format(name) for url in LISTS_URLS]
        fetch(urls, folder / name, md5sums.get(name), opener)


def list_parts(archive: str, md5sums: dict[str, str]) -> list[str]:
    """List the files in which an archive is published."""
    parts = sorted(name for name in md5sums if name.startswith(f"{archive}_part"))
    return parts or [f"{archive}.zip"]


def fetch_archive(options: argparse.Namespace, archive: str, md5sums: dict[str, str]) -> None:
    """Fetch the parts of an archive, unless it is there as a whole or unpacked."""
    for whole in (options.folder / archive, options.folder / f"{archive}.zip"):
        if whole.exists():
            logging.info("%s is there", whole)
            return
    opener = make_opener(options.url, options.user, os.environ.get("VOXCELEB_PASSWORD"))
    for name in list_parts(archive, md5sums):
        url = options.url.replace("{}", quote(name))
        fetch([url], options.folder / name, md5sums[name], opener)


def extract(folder: Path, archive: str, md5sums: dict[str, str]) -> bool:
    """Join the parts of an archive, if needed, and unpack it to a folder of its name.

    Returns:
        False if nothing of it is there.

    Raises:
        ValueError: a part is missing, or the archive is not as published.
    """
    target, whole = folder / archive, folder / f"{archive}.zip"
    if target.is_dir():
        logging.info("%s is there", target)
        return True
    if whole.exists():
        remedy = f"remove {whole} and fetch it again, or unpack it to {target} yourself"
        logging.info("checking the MD5 of %s", whole)  # put there by hand, maybe
        check_file(whole, md5sums[whole.name], remedy)
    else:
        parts = [folder / name for name in list_parts(archive, md5sums)]
        missing = [part.name for part in parts if not part.exists()]
        if len(missing) == len(parts):
            logging.info("%s: nothing of it in %s", archive, folder)
            return False
        if missing:
            raise ValueError(
                f"{folder}: {', '.join(missing)} missing of {archive}: fetch with --download"
            )
        join(parts, whole, md5sums[whole.name])
    logging.info("unpacking %s", whole)
    try:
        with replacing_directory(target) as partial, ZipFile(whole) as archive_file:
            archive_file.extractall(partial)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        reason = command.describe_error(error)
        raise ValueError(f"{whole}: damaged ({reason}): remove it and fetch it again") from error
    return True


def join(parts: list[Path], whole: Path, md5: str) -> None:
    """Write the parts into one file, check it, and remove them."""
    found = hashlib.md5()
    with replacing_file(whole, "wb") as file:
        for part in parts:
            with part.open("rb") as source:
                while chunk := source.read(CHUNK):
                    found.update(chunk)
                    file.write(chunk)
        if found.hexdigest() != md5:
            raise ValueError(
                f"{whole.name}: its parts are damaged, their MD5 is {found.hexdigest()}, not "
                f"{md5}: remove {parts[0].name} and the others, and fetch them again"
            )
    for part in parts:
        part.unlink()


if __name__ == "__main__":
    command.run(main)
