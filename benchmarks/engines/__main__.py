"""`python -m benchmarks.engines [--tasks PATTERN] [--limit N] …`: the shared-prefix engine against lm-eval's `hf`.

Tasks are lm-eval's own on the benchmark data of EVALWATT_TEST_DATA, and the suite `mini`. Both
engines answer a task's requests in alternating order; the output is the median of the repetitions, and the largest
difference between any two answers. `hf` runs with each of the batch sizes; its best one for the task counts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from tqdm import tqdm

from benchmarks.subject import subject, table
from benchmarks.tasks import suite_of
from evaluators import engines
from evaluators.energy import Ledger, make_meter
from evaluators.engines import Engine, TokenCounts
from evaluators.engines.compatibility import allowed_difference
from evaluators.harness.asking import requests_of
from evaluators.harness.interruption import Interruption
from evaluators.harness.lm_eval_tasks import Harness, LoadedTask
from evaluators.harness.metered import MeteredLM, warm_up


@dataclass(frozen=True)
class Pass:
    """One engine's answers to one task's requests."""

    answers: list[Any]
    duration_s: float
    energy_kwh: float | None
    peak_gib: float
    tokens: TokenCounts


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one row per task. `arguments` defaults to those of the command line."""
    options = _options(arguments)
    catalogue, entry, _, local = subject()
    with tempfile.TemporaryDirectory() as folder:
        tasks = _tasks(Path(folder), options.tasks, options.limit)
        size = max((size for size in options.batch_sizes if size != "auto"), default=1)
        reference, ours = (
            engines.load(name, local.path, dtype=options.dtype, device=options.device, batch_size=size)
            for name in ("transformers", "shared-prefix")
        )
        if ours.reason is not None:
            raise SystemExit(ours.reason)
        meter = make_meter("codecarbon", country_iso_code=catalogue.settings.country_iso_code)
        for engine in (reference, ours):
            warm_up(engine)
        rows: list[tuple[str, ...]] = [
            ("task", "requests", "hf tokens", "tokens", "ideal", "hf batch", "hf s", "s", "faster", "energy", "GiB")
        ]
        rows[0] += ("difference",)
        totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for task in tqdm(tasks, desc="tasks", disable=not sys.stderr.isatty()):
            row, hf_s, ours_s = _compare(task, reference, ours, Ledger(meter), options)
            rows.append(row)
            print(" ".join(row), file=sys.stderr, flush=True)
            for group in {_group(task.name), "all"}:
                totals[group][0] += hf_s
                totals[group][1] += ours_s
        for group, (hf_s, ours_s) in totals.items():
            rows.append((f"**{group}**", *[""] * 5, f"{hf_s:.1f}", f"{ours_s:.1f}", f"{hf_s / ours_s:.2f}", "", "", ""))
        meter.close()
    print(f"\n### Engines: {entry.name}, {options.dtype}, {options.device}\n")
    print(table(rows))


def _compare(
    task: LoadedTask, reference: Engine, ours: Engine, ledger: Ledger, options: argparse.Namespace
) -> tuple[tuple[str, ...], float, float]:
    # Once for all passes: each call draws new random few-shot examples.
    requests = requests_of(task, reference.lm, task.documents)
    passes: dict[str | int, list[Pass]] = defaultdict(list)
    sizes = list(options.batch_sizes)
    for repetition in range(options.repetitions):
        # The first pass finds the best batch size, which the others repeat.
        sides: list[str | int] = [*sizes, "ours"]
        for side in sides if repetition % 2 == 0 else reversed(sides):
            engine = ours if side == "ours" else reference
            if side != "ours":
                reference.lm.batch_size_per_gpu = side
            passes[side].append(_answer(requests, engine, ledger))
        sizes = [min(sizes, key=lambda size: passes[size][0].duration_s)]
    best = sizes[0]
    hf_s, ours_s = (statistics.median(p.duration_s for p in passes[side]) for side in (best, "ours"))
    mine, theirs = passes["ours"][-1], passes[best][-1]
    energies = [[p.energy_kwh for p in passes[side] if p.energy_kwh is not None] for side in (best, "ours")]
    ratio = statistics.median(energies[0]) / statistics.median(energies[1]) if all(energies) else None
    tokens = (theirs.tokens.computed, mine.tokens.computed, mine.tokens.distinct)
    row = (
        task.name.removeprefix("local_").removeprefix("leaderboard_"),
        str(len(mine.answers)),
        *(f"{count}" for count in tokens),
        str(best),
        f"{hf_s:.2f}",
        f"{ours_s:.2f}",
        f"{hf_s / ours_s:.2f}",
        "unknown" if ratio is None else f"{ratio:.2f}",
        f"{theirs.peak_gib:.2f} / {mine.peak_gib:.2f}",
        _difference(theirs.answers, mine.answers),
    )
    return row, hf_s, ours_s


def _answer(requests: list[Instance], engine: Engine, ledger: Ledger) -> Pass:
    lm = MeteredLM(engine, ledger, Interruption(), lambda: None)
    # Linux: 5 resets the peak resident size.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    engine.counted()
    ledger.switch("scoring")
    answers = getattr(lm, requests[0].request_type)(requests)
    reading = ledger.settle()["inference"]
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return Pass(answers, reading.duration_s, reading.energy_kwh, int(peak.split()[1]) / 2**20, engine.counted())


def _difference(one: list[Any], other: list[Any]) -> str:
    """How much the answers differ, in words."""
    if isinstance(one[0], str):
        different = sum(a != b for a, b in zip(one, other, strict=True))
        return f"{different} of {len(one)} texts"
    apart = [(abs(a[0] - b[0]), allowed_difference(a[0])) for a, b in zip(one, other, strict=True)]
    beyond = sum(not far <= allowed for far, allowed in apart)
    flags = sum(a[1] != b[1] for a, b in zip(one, other, strict=True))
    return f"{max(far for far, _ in apart):.1e}, {flags} flags" + (f", {beyond} beyond the tolerance" if beyond else "")


def _tasks(folder: Path, patterns: str, limit: int | None) -> list[LoadedTask]:
    tasks, failures = Harness(suite_of(folder, patterns, limit), folder, folder).load(model_uses_template=False)
    if failures:
        raise SystemExit(f"tasks could not be loaded: {failures}")
    return tasks


def _group(name: str) -> str:
    for group in ("bbh", "math", "mmlu_pro", "arc", "hellaswag", "ifeval", "gsm8k", "openbook", "mini"):
        if group in name:
            return group
    return name


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--tasks", default="*", help="parts of task names, separated by commas")
    parser.add_argument("--limit", type=int, help="documents per task")
    parser.add_argument("--repetitions", type=int, default=3)
    sizes = "batch sizes of hf, numbers or auto; the best one counts"
    parser.add_argument("--batch-sizes", type=_batch_size, nargs="+", default=[1, 4, 16], help=sizes)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)


def _batch_size(text: str) -> int | str:
    return text if text == "auto" else int(text)


if __name__ == "__main__":
    main()
