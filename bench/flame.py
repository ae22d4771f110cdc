"""Where the runtime's time goes, as two pictures: one event after the other, and a burst.

    .venv/bin/python -m bench.flame [--singles 100] [--pictures 300]

`py-spy`, in a venv of its own, looks 200 times a second at the stacks of the runtime's threads while the birds are put,
answered and told; threads that wait are left out. What is drawn goes to docs/images/flame-one.svg and flame-burst.svg:
functions by the share of looks in which they stood on the stack, callers below. What is narrower than 1/500 is left
away. `py-spy` has to be allowed to look into a process that is not its child (root, or `kernel.yama.ptrace_scope` 0).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from bench import ours
from bench.pipeline.case import pictures
from bench.pipeline.load import burst, single
from bench.pipeline.ours import subscribed
from bench.pipeline.receiver import Receiver
from bench.venvs import ROOT, Venv

PYSPY = Venv("flame", ("py-spy==0.4.3",))
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT, LETTER = 1200, 17, 6.6
NARROWEST = 1 / 500
#: Stands below every stack and says nothing.
BENEATH = (
    "<module>", "_run_module_as_main", "_run_code", "main", "run",
    "Thread._bootstrap", "Thread._bootstrap_inner", "Thread.run",
)  # fmt: skip
#: Who a function belongs to, by its file; the first that fits counts.
COLOURS = (
    ("alight/gateway", "gateway", "#f2b36f"),
    ("alight/services", "services", "#e58f8f"),
    ("alight/store", "store", "#9fc5e8"),
    ("alight/events", "events", "#b6d7a8"),
    ("alight/functions", "functions", "#d5a6e0"),
    ("alight/endpoints", "endpoints", "#ffe08a"),
    ("alight/notifications", "notifications", "#8fd3c8"),
    ("alight", "other rooms", "#f4cccc"),
    ("uvicorn", "libraries", "#d9d9d9"),
)
OTHERS = ("libraries", "#d9d9d9")


@dataclass
class Frame:
    """A function on the stacks, and what it called."""

    name: str
    looks: int = 0
    called: dict[str, Frame] = field(default_factory=dict)

    def add(self, stack: Sequence[str], looks: int) -> None:
        self.looks += looks
        if stack:
            self.called.setdefault(stack[0], Frame(stack[0])).add(stack[1:], looks)


def read(folded: str) -> Frame:
    """py-spy's raw form: frames joined by `;`, and how often that stack was seen."""
    root = Frame("all")
    for line in folded.splitlines():
        stack, _, looks = line.rpartition(" ")
        root.add([frame for frame in stack.split(";") if frame.split(" ")[0] not in BENEATH], int(looks))
    return root


def placed(frame: Frame, left: float, share: float, depth: int) -> Iterator[tuple[Frame, float, float, int]]:
    """Every frame that is wide enough, where it begins, its share, and its depth."""
    if share < NARROWEST:
        return
    yield frame, left, share, depth
    for one in sorted(frame.called.values(), key=lambda called: -called.looks):
        part = share * one.looks / frame.looks
        yield from placed(one, left, part, depth + 1)
        left += part


def colour(name: str) -> str:
    return next((fill for mark, _, fill in COLOURS if f"({mark}" in name or f"/{mark}" in name), OTHERS[1])


def draw(root: Frame, title: str) -> str:
    boxes = list(placed(root, 0.0, 1.0, 0))
    depth = max(level for *_, level in boxes) + 1
    height = (depth + 3) * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="monospace" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/><text x="6" y="13">{escape(title)}</text>',
    ]
    legend = {words: fill for _, words, fill in COLOURS}
    for number, (words, fill) in enumerate(legend.items()):
        parts.append(f'<rect x="{6 + 130 * number}" y="20" width="10" height="10" fill="{fill}"/>')
        parts.append(f'<text x="{20 + 130 * number}" y="29">{words}</text>')
    for frame, left, share, level in boxes:
        x, wide, y = left * WIDTH, share * WIDTH, height - (level + 1) * HEIGHT
        short = escape(frame.name.split(" (")[0][: int(wide / LETTER)]) if wide > 3 * LETTER else ""
        parts.append(
            f'<g><title>{escape(frame.name)}: {share:.1%}</title><rect x="{x:.1f}" y="{y}" '
            f'width="{max(wide - 0.5, 0.3):.1f}" height="{HEIGHT - 1}" fill="{colour(frame.name)}"/>'
            + (f'<text x="{x + 2:.1f}" y="{y + 12}">{short}</text>' if short else "")
            + "</g>"
        )
    return "\n".join([*parts, "</svg>\n"])


def watched(pid: int, work: Callable[[], object]) -> str:
    """The stacks of this process while the work is done."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "folded"
        command: list[str | Path] = [
            PYSPY.bin / "py-spy",
            "record",
            "--pid",
            str(pid),
            "--output",
            file,
            "--format",
            "raw",
        ]
        command += ["--rate", "200", "--function", "--full-filenames", "--duration", "3600", "--nonblocking"]
        watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(1)  # until it has found its way through the process
        work()
        watcher.send_signal(2)
        _, said = watcher.communicate(timeout=30)
        if not file.exists():
            raise SystemExit(f"py-spy has seen nothing: {said.decode()}")
        return re.sub(r"\([^()]*/(?:src|site-packages|lib)/(?:python[\d.]+/)?", "(", file.read_text())


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--singles", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=300)
    given = parser.parse_args(words)
    PYSPY.install()
    receiver, images = Receiver(), pictures()
    with tempfile.TemporaryDirectory() as name:
        running = ours.running(Path(name), ours.BIRDS, ALIGHT_WEBHOOK_ALLOW="127.0.0.1")
        with running as instance:
            show = subscribed(instance, receiver)
            burst(show, receiver, images, 20, "warm")
            works: dict[str, tuple[str, Callable[[], object]]] = {
                "one": (
                    f"The runtime, {given.singles} pictures one after the other",
                    lambda: single(show, receiver, images, given.singles, "one"),
                ),
                "burst": (
                    f"The runtime, {given.pictures} pictures at once",
                    lambda: burst(show, receiver, images, given.pictures, "burst"),
                ),
            }
            for word, (title, work) in works.items():
                root = read(watched(instance.pid, work))
                (IMAGES / f"flame-{word}.svg").write_text(draw(root, f"{title}: {root.looks:,} looks"))
                print(f"docs/images/flame-{word}.svg: {root.looks} looks", file=sys.stderr)
    receiver.close()


if __name__ == "__main__":
    main(sys.argv[1:])
