"""List, remove or rename those who are enrolled.

    deep-speaker speakers list
    deep-speaker speakers remove ana --speakers voices
    deep-speaker speakers rename "Ana Müller" Ana

Removing a speaker removes all that is kept of the voice, recordings too.
"""

import argparse

from deep_speaker.commands.options import add_json_option, add_speakers_option
from deep_speaker.commands.wording import print_json
from deep_speaker.voices.speaker_store import SpeakerStore


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    shared = argparse.ArgumentParser(add_help=False)
    add_speakers_option(shared)
    add_json_option(shared)
    actions = parser.add_subparsers(title="actions", metavar="{list,remove,rename}", required=True)
    every = actions.add_parser("list", help="print who is enrolled", parents=[shared])
    every.set_defaults(action=list_all)
    remove = actions.add_parser("remove", help="remove a speaker", parents=[shared])
    remove.add_argument("name", help="of somebody enrolled")
    remove.set_defaults(action=remove_one)
    rename = actions.add_parser("rename", help="give a speaker another name", parents=[shared])
    rename.add_argument("name", help="of somebody enrolled")
    rename.add_argument("new_name", help="that nobody has")
    rename.set_defaults(action=rename_one)


def run(options: argparse.Namespace) -> None:
    """Do what was asked for; a store of any model will do."""
    options.action(SpeakerStore(options.speakers), options)


def list_all(store: SpeakerStore, options: argparse.Namespace) -> None:
    """Print who is enrolled, by which recordings and model."""
    speakers = store.speakers()
    if options.json:
        print_json(
            [
                {
                    "name": speaker.name,
                    "examples": len(speaker.vectors),
                    "sources": speaker.sources,
                    "model": {"id": speaker.model_id, "name": speaker.model_name},
                }
                for speaker in speakers
            ]
        )
        return
    for speaker in speakers:
        examples = ", ".join(speaker.sources)
        print(f"{speaker.name}: {len(speaker.vectors)} by {speaker.model_name} ({examples})")
    if not speakers:
        print(f"Nobody is enrolled in {store.folder}.")


def remove_one(store: SpeakerStore, options: argparse.Namespace) -> None:
    """Remove a speaker."""
    store.remove(options.name)
    report({"removed": options.name}, f"{options.name}: removed", options.json)


def rename_one(store: SpeakerStore, options: argparse.Namespace) -> None:
    """Rename a speaker."""
    store.rename(options.name, options.new_name)
    content = {"renamed": options.name, "to": options.new_name}
    report(content, f"{options.name}: now {options.new_name}", options.json)


def report(content: dict[str, str], words: str, as_json: bool) -> None:
    """Print what was done."""
    if as_json:
        print_json(content)
    else:
        print(words)
