"""The bird classifier by hand: what Alight does for `model.onnx` and `preprocess.json`, as SageMaker's functions.

It runs wherever `sagemaker-inference` does; numpy, Pillow and ONNX Runtime are all it needs.
"""

import io
import json
import math
import os

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "WEBP")
SIDE = 224
KEEP = 0.875
#: Scaled decoding leaves at least this many pixels a side.
DRAFT_SIDE = math.ceil(SIDE / KEEP * 1.25)


def model_fn(model_dir):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = os.path.join(model_dir, "model.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def input_fn(body, content_type):
    """JPEG, PNG or WebP -> the model's input, float32 of shape (1, 3, 224, 224)."""
    if content_type not in ("application/x-image", "image/jpeg", "image/png", "image/webp"):
        raise ValueError(f"Requested unsupported ContentType in content_type: {content_type}")
    picture = Image.open(io.BytesIO(body), formats=FORMATS)
    picture.draft(None, (DRAFT_SIDE, DRAFT_SIDE))
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):  # 16 bits a pixel
        picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    if picture.has_transparency_data:
        over = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    picture = picture.convert("RGB")
    width, height = picture.size
    side = int(KEEP * min(width, height))
    left, top = (width - side + 1) // 2, (height - side + 1) // 2
    box = (left, top, left + side, top + side)
    pixels = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box), np.float32)
    return ((pixels - 127) / 128).transpose(2, 0, 1)[np.newaxis]


def predict_fn(pixels, session):
    """The probabilities of the 59 classes, in the order of `labels.txt`."""
    return session.run(["probabilities"], {"input": pixels})[0][0]


def output_fn(probabilities, accept):
    return json.dumps(probabilities.tolist()), "application/json"
