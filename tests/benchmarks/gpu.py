#!/usr/bin/env python3
"""Training steps on a GPU: chunks/s, waiting for batches, memory, by precision and compilation.

Each network takes the batches of its own experiment (those of the papers), on random features.

    . ./path.sh; PYTHONPATH=$PYTHONPATH:tests tests/benchmarks/gpu.py --compile
"""

import argparse
import statistics

import torch
from tabulate import tabulate

from benchmarks.training import CASES, share_waited, time_steps, trainer_of
from deep_speaker.networks.devices import choose_device
from deep_speaker.networks.pace import PRECISIONS, Pace, Precision
from deep_speaker.system import command


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu")
    parser.add_argument("--steps", type=command.positive_int, default=20, help="of each round")
    parser.add_argument("--rounds", type=command.positive_int, default=5)
    parser.add_argument("--speakers", type=command.positive_int, help="of a batch (default: all)")
    parser.add_argument("--network", choices=CASES, action="append", help="default: each")
    parser.add_argument("--compile", action="store_true", help="by torch.compile, too")
    options = parser.parse_args()
    device = choose_device(options.device)
    rows = [
        measure(name, device, precision, compiled, options)
        for name in options.network or CASES
        for precision in PRECISIONS
        for compiled in ([False, True] if options.compile else [False])
    ]
    print(torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU")
    print(tabulate(rows, headers="keys", floatfmt=".3g"))


def measure(
    name: str,
    device: torch.device,
    precision: Precision,
    compiled: bool,
    options: argparse.Namespace,
) -> dict[str, object]:
    """Return the row of a network in one precision."""
    with trainer_of(CASES[name].config, device, options.speakers) as trainer:
        if compiled:
            trainer.parallel.compile()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        rounds = time_steps(trainer, Pace(precision), options.rounds, options.steps)
        seconds = statistics.median(each.seconds for each in rounds)
        size = trainer.sampler.batch_size
        row: dict[str, object] = {
            "network": name,
            "batch": size,
            "precision": precision,
            "compiled": "yes" if compiled else "no",
            "chunks/s": options.steps * size / seconds,
            "waiting %": 100 * share_waited(rounds),
        }
        if device.type == "cuda":
            row["GB"] = torch.cuda.max_memory_allocated(device) / 1e9
        return row


if __name__ == "__main__":
    command.run(main)
