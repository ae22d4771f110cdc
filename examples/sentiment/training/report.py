"""What came out of a training run, for people (Markdown and a plot) and for programs (JSON)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

matplotlib.use("agg")
from matplotlib import pyplot

Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Score:
    """How one model did on the held-out part. `confusion` holds rows of the truth: negative, positive."""

    accuracy: float
    auc: float
    confusion: list[list[int]]


def score(truth: NDArray[np.bool_], probabilities: Numbers) -> Score:
    guesses = probabilities > 0.5
    return Score(
        accuracy=round(float((guesses == truth).mean()), 4),
        auc=round(float(roc_auc_score(truth, probabilities)), 4),
        confusion=confusion_matrix(truth, guesses).tolist(),
    )


def write(folder: Path, truth: NDArray[np.bool_], answers: Mapping[str, Numbers], facts: Mapping[str, Any]) -> str:
    """Write `report.md`, `report.json` and `report.png` into `folder`; the Markdown is returned."""
    scores = {name: score(truth, found) for name, found in answers.items()}
    text = _markdown(scores, facts)
    folder.mkdir(exist_ok=True)
    (folder / "report.md").write_text(text, encoding="utf-8")
    told = {"held_out": {name: asdict(found) for name, found in scores.items()}} | dict(facts)
    (folder / "report.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    _plot(folder / "report.png", truth, answers, scores)
    return text


def _markdown(scores: Mapping[str, Score], facts: Mapping[str, Any]) -> str:
    parts = ", ".join(f"{count:,} {name}" for name, count in facts["parts"].items())
    lines = [
        "# How good the model is",
        "",
        f"Film-review snippets with seed {facts['seed']}: {parts}. {facts['words']:,} words, those most frequent in",
        "the training part. The held-out part was looked at once, after everything had been chosen.",
        "",
        "| model | accuracy, held out | AUC |",
        "|---|---|---|",
        *(f"| {name} | {found.accuracy:.4f} | {found.auc:.4f} |" for name, found in scores.items()),
        f"| always the more frequent answer | {facts['majority']:.4f} | 0.5000 |",
    ]
    for name, found in scores.items():
        (true_negative, false_positive), (false_negative, true_positive) = found.confusion
        lines += [
            "",
            f"{name[0].upper()}{name[1:]}:",
            "",
            "| | said negative | said positive |",
            "|---|---|---|",
            f"| is negative | {true_negative} | {false_positive} |",
            f"| is positive | {false_negative} | {true_positive} |",
        ]
    lines += [
        "",
        "What was tried, judged by the log loss on the validation part alone; the best was trained again on training",
        "and validation together, with its number of trees:",
        "",
        "| model | parameters | trees | log loss | accuracy |",
        "|---|---|---|---|---|",
        *(
            f"| {tried['model']} | {tried['parameters']} | {tried.get('trees', '')} | {tried['log_loss']:.4f} "
            f"| {tried['accuracy']:.4f} |"
            for tried in facts["tried"]
        ),
        "",
        "![ROC curves and calibration](report.png)",
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in facts["versions"].items()) + ".",
    ]
    return "\n".join(lines) + "\n"


def _plot(path: Path, truth: NDArray[np.bool_], answers: Mapping[str, Numbers], scores: Mapping[str, Score]) -> None:
    figure, (roc, calibration) = pyplot.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    for colour, (name, found) in zip(("#c2410c", "#0f766e"), answers.items(), strict=False):
        false, true, _ = roc_curve(truth, found)
        roc.plot(false, true, color=colour, linewidth=1.8, label=f"{name} (AUC {scores[name].auc:.3f})")
        edges = np.linspace(0, 1, 11)
        bins = np.clip(np.digitize(found, edges) - 1, 0, 9)
        filled = [index for index in range(10) if (bins == index).sum() >= 10]
        said = [found[bins == index].mean() for index in filled]
        happened = [truth[bins == index].mean() for index in filled]
        calibration.plot(said, happened, "o-", color=colour, linewidth=1.8, markersize=5, label=name)
    for axes, title, across, up in (
        (roc, "ROC on the held-out fifth", "false positives", "true positives"),
        (calibration, "Calibration on the held-out fifth", "said probability", "share that was positive"),
    ):
        axes.plot([0, 1], [0, 1], color="#9ca3af", linewidth=1, linestyle="--")
        axes.set(title=title, xlabel=across, ylabel=up, xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")
    # No clock and no version in the file: the same figures make the same bytes.
    figure.savefig(path, dpi=100, metadata={"Software": None})
    pyplot.close(figure)
