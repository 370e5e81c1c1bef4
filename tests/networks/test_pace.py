"""The pace: what is tried, by a clock of the tests, and what is chosen."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
import torch

from deep_speaker.networks import pace
from deep_speaker.networks.pace import Asked, Pace, choose_pace, read_precision

CPU = torch.device("cpu")
ALL = [Pace("bfloat16", 1), Pace("bfloat16", 4), Pace("float32", 1), Pace("float32", 4)]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Four cores and bfloat16; torch's threads are put back."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    monkeypatch.setattr(pace, "has_bfloat16", lambda device: True)
    yield
    torch.set_num_threads(before)


class Clock:
    """A clock that only steps move, each pace by its seconds, from step to step."""

    def __init__(self, seconds: Mapping[Pace, Sequence[float]]) -> None:
        self.now = 0.0
        self.taken: list[Pace] = []
        self._seconds = {each: iter(values) for each, values in seconds.items()}

    def prepare(self) -> Callable[[Pace], None]:
        return self.step

    def step(self, each: Pace) -> None:
        assert torch.get_num_threads() == each.threads
        self.taken.append(each)
        self.now += next(self._seconds[each])


def run_clock(monkeypatch: pytest.MonkeyPatch, seconds: Mapping[Pace, Sequence[float]]) -> Clock:
    clock = Clock(seconds)
    monkeypatch.setattr(pace.time, "perf_counter", lambda: clock.now)
    return clock


def test_the_fewest_seconds_after_the_first_step_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first step of the fastest takes long, and so does one that something else disturbs."""
    times = [[0.4, 0.3, 0.3], [0.1, 0.4, 0.5], [0.9, 0.7, 0.25], [0.3, 0.35, 0.4]]
    clock = run_clock(monkeypatch, dict(zip(ALL, times, strict=True)))
    chosen, said = choose_pace(CPU, Asked(), clock.prepare)
    assert chosen == Pace("float32", 1)
    assert torch.get_num_threads() == 1
    assert clock.taken == 3 * ALL  # in turns
    for words in ("bfloat16 on 1 thread 0.3 s", "bfloat16 on 4 threads 0.4 s",
                  "float32 on 1 thread 0.25 s", "computes in float32 on 1 thread"):  # fmt: skip
        assert words in said


def test_short_steps_are_repeated_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = run_clock(monkeypatch, {each: [0.0625] * 99 for each in ALL})
    choose_pace(CPU, Asked(), clock.prepare)
    assert len(clock.taken) == len(ALL) + 1 / 0.0625


def test_a_pace_that_is_out_of_the_question_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times = [[9.0], [2.0, 2.0, 2.0], [3.9, 1.5, 1.5], [4.1]]
    clock = run_clock(monkeypatch, dict(zip(ALL, times, strict=True)))
    chosen, _ = choose_pace(CPU, Asked(), clock.prepare)
    assert chosen == ALL[2]
    assert clock.taken == ALL + 2 * ALL[1:3]


def test_all_ranks_take_what_they_agree_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the other rank finds the opposite, and is the one that they go by."""
    clock = run_clock(monkeypatch, dict(zip(ALL, [[i + 1.0] * 3 for i in range(4)], strict=True)))
    chosen, _ = choose_pace(CPU, Asked(), clock.prepare, lambda times: [9 - each for each in times])
    assert chosen == ALL[3]


def never() -> Callable[[Pace], None]:
    raise AssertionError("nothing is to be tried")


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_what_is_asked_for_is_taken_without_a_trial(precision: pace.Precision) -> None:
    chosen, said = choose_pace(CPU, Asked(precision, 3), never)
    assert chosen == Pace(precision, 3)
    assert torch.get_num_threads() == 3
    assert said == f"computes in {precision} on 3 threads"


def test_what_is_not_asked_for_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    for asked, tried in ((Asked("bfloat16"), ALL[:2]), (Asked(None, 4), [ALL[1], ALL[3]])):
        clock = run_clock(monkeypatch, {each: [1.0] * 3 for each in tried})
        choose_pace(CPU, asked, clock.prepare)
        assert set(clock.taken) == set(tried)


def test_a_processor_without_bfloat16_tries_the_threads_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "has_bfloat16", lambda device: False)
    clock = run_clock(monkeypatch, {each: [1.0] * 3 for each in ALL[2:]})
    choose_pace(CPU, Asked(), clock.prepare)
    assert set(clock.taken) == set(ALL[2:])
    torch.set_num_threads(1)
    assert choose_pace(CPU, Asked(), never)[0] == Pace("float32", 1)


@pytest.mark.parametrize("has_it", [True, False])
def test_a_gpu_takes_bfloat16_where_it_has_it(
    has_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "has_bfloat16", lambda device: has_it)
    gpu = torch.device("cuda")
    assert choose_pace(gpu, Asked(), never)[0] == Pace("bfloat16" if has_it else "float32")
    assert choose_pace(gpu, Asked("float32", 2), never)[0] == Pace("float32", 2)


def test_the_option_knows_two_precisions_and_auto() -> None:
    assert [read_precision(text) for text in ("auto", "bfloat16")] == [None, "bfloat16"]
    with pytest.raises(ValueError, match="'half': expected auto, bfloat16 or float32"):
        try:
            read_precision("half")
        except pace.argparse.ArgumentTypeError as error:
            raise ValueError(str(error)) from error
