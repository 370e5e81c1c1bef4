"""The machine of a benchmark: its processor, how fast it can be, and whether others use it."""

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

COUNTED_TWICE = ("iowait", "guest", "guest_nice")  # idle, or part of another field
INSTRUCTIONS = ("avx512f", "avx512_bf16", "amx_bf16")  # that decide what is fast here
LOADED = 0.05  # others' share of all cores, from which on a measurement is doubted


@dataclass
class Load:
    """What share of the cores' time other processes took; 0 to 1."""

    share: float = 0.0


@contextmanager
def watch_load() -> Iterator[Load]:
    """Measure the load by others in a block: it is known after it."""
    load = Load()
    busy, own, began = _busy_seconds(), _own_seconds(), time.monotonic()
    yield load
    others = (_busy_seconds() - busy) - (_own_seconds() - own)
    cores = psutil.cpu_count() or 1
    load.share = max(0.0, others / (cores * max(time.monotonic() - began, 1e-9)))


def _busy_seconds() -> float:
    """Return the processor time of all processes; stolen time counts, as it is others'."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - sum(getattr(times, name, 0.0) for name in COUNTED_TWICE)


def _own_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    times = psutil.Process().cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def describe() -> dict[str, str]:
    """Name the processor, its cores and instructions, the memory and the system."""
    memory = psutil.virtual_memory().total / 2**30
    return {
        "processor": _processor(),
        "cores": str(psutil.cpu_count()),
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def _processor() -> str:
    """Name the processor; one name sells many, so the instructions that matter are named too."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {name.strip(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    flags = facts.get("flags", "").split()
    known = [name for name in INSTRUCTIONS if name in flags]
    named = facts.get("model name", platform.machine())
    return f"{named}, model {facts.get('model', '?')}, with {', '.join(known) or 'no avx512'}"
