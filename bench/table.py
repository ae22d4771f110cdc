"""What was measured as one table: medians over the rounds, ratios within each round."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from bench.case import SEED, Contender, Size
from bench.rounds import Figures, Results

BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
OURS = ("onnxruntime", "pillow", "xgboost-cpu", "boto3", "uvicorn", "apsw")
HEAD = (
    "| work | by | a second | p50 / p99 ms | ratio to limit | Alight's to it | wrong | processor ms | peak PSS MB |",
    "|---|---|---|---|---|---|---|---|---|",
)


def middle(figures: Sequence[Figures], value: Callable[[Figures], float]) -> float:
    return statistics.median(map(value, figures))


def rate(figures: Figures) -> float:
    return figures.counted.per_second


def ratio(some: Sequence[Figures], others: Sequence[Figures]) -> str:
    """Within each round first, so that a noisy minute is noisy for both."""
    return f"{statistics.median(rate(one) / rate(other) for one, other in zip(some, others, strict=False)):.2f}"


def processor(figures: Sequence[Figures]) -> str:
    """In all, and by parts where there are several."""
    parts = {part for one in figures for part in one.processor_ms}
    by = {part: statistics.median(one.processor_ms.get(part, 0.0) for one in figures) for part in sorted(parts)}
    by = {part: value for part, value in by.items() if value >= 0.005}
    told = f" ({', '.join(f'{part} {value:.2f}' for part, value in by.items())})" if len(by) > 1 else ""
    return f"{sum(by.values()):.2f}{told}" if by else ""


def line(load: str, contender: Contender, results: Results) -> str:
    case, found = results.case, results.figures[load]
    own, limit, ours = found[contender], found.get(case.limit, []), found.get(case.ours, [])
    wrong: dict[str, int] = {}
    for one in own:
        for kind, count in one.counted.wrong.items():
            wrong[kind] = wrong.get(kind, 0) + count
    memory = max(one.pss_mb for one in own)
    cells = (
        load,
        contender.name,
        f"{middle(own, rate):.0f}",
        f"{middle(own, lambda one: one.counted.p50):.2f} / {middle(own, lambda one: one.counted.p99):.2f}",
        ratio(own, limit) if limit else "",
        ratio(ours, own) if contender not in (case.limit, case.ours) and ours else "",
        ", ".join(f"{count} {kind}" for kind, count in wrong.items() if count) or "0",
        processor(own),
        f"{memory:.0f}" if memory else "",
    )
    return f"| {' | '.join(cells)} |"


def tool(*command: str) -> list[str]:
    """The first line that a tool says of its version, where it is there."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return []
    return [(answer.stdout or answer.stderr).splitlines()[0].split(" sha=")[0].split(" Copyright")[0].strip()]


def versions(packages: Sequence[str], *tools: str) -> list[str]:
    """Of this Python, these packages, and the tools that are there."""
    found = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)]
    return found + [word for name in tools for word in tool(name, "-v")]


def text(all_results: Sequence[Results], rounds: int, size: Size) -> str:
    lines = [
        line(load, contender, one) for one in all_results for load in one.figures for contender in one.figures[load]
    ]
    peers = {
        requirement: None
        for one in all_results
        for contender in one.case.others
        if contender.venv is not None and contender not in one.skipped
        for requirement in contender.venv.requirements
    }
    skipped = [
        f"- {one.case.word}: {contender.name}: {why}" for one in all_results for contender, why in one.skipped.items()
    ]
    return "\n".join(
        [
            f"{rounds} rounds of {size.seconds:g} s, medians; seed {SEED}; {os.cpu_count()} cores.",
            f"{', '.join(versions(OURS, 'wrk', 'redis-server'))}.",
            *([f"Peers: {', '.join(peers)}."] if peers else []),
            "",
            *HEAD,
            *lines,
            *(["", "Not measured:", "", *skipped] if skipped else []),
        ]
    )


def write(page: Path, table: str) -> None:
    """Between the markers of the page; the rest is written by hand."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, marked, after = rest.partition(END)
    if not marked:
        raise SystemExit(f"{page} has no place for the table: it needs the lines {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}")
