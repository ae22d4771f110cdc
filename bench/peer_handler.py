"""The peer's handler: the same decode, model and message as the birds example, with the model in the function."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import boto3
import numpy as np
import onnxruntime
from PIL import Image

SIDE, CENTRE = 224, 224 / 256
MODEL = Path(os.environ["MODEL"])
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.intra_op_num_threads = 1
SESSION = onnxruntime.InferenceSession(MODEL / "model.onnx", OPTIONS, providers=["CPUExecutionProvider"])
LABELS = (MODEL / "labels.txt").read_text().splitlines()
S3, SNS = boto3.client("s3"), boto3.client("sns")


def pixels(body: bytes) -> Any:
    image = Image.open(io.BytesIO(body))
    image.draft("RGB", (288, 288))
    image = image.convert("RGB")
    side = int(CENTRE * min(image.size))
    left, top = (image.width - side + 1) // 2, (image.height - side + 1) // 2
    image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return ((np.asarray(image, np.float32) - 127) / 128).transpose(2, 0, 1)[None]


def one(bucket: str, key: str) -> None:
    body = S3.get_object(Bucket=bucket, Key=key)["Body"].read()
    [scores] = SESSION.run(None, {SESSION.get_inputs()[0].name: pixels(body)})[0]
    best = int(np.argmax(scores))
    message = f"Bird [{key}] is a: {LABELS[best]}({scores[best]:.2f})"
    SNS.publish(TopicArn=os.environ["SNS_TOPIC_ARN"], Message=message)


def handler(event: dict[str, Any], context: Any) -> None:
    for record in event["Records"]:
        for item in json.loads(record["body"]).get("Records", []):
            one(item["s3"]["bucket"]["name"], unquote_plus(item["s3"]["object"]["key"]))
