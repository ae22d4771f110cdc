"""TFLite files made here: one fully connected layer and a softmax, in real numbers or in integers of eight bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import tflite
from numpy.typing import NDArray

TYPES = {"float32": tflite.TensorType.FLOAT32, "int8": tflite.TensorType.INT8, "uint8": tflite.TensorType.UINT8}
TYPES["int32"] = tflite.TensorType.INT32


@dataclass(frozen=True)
class Tensor:
    """`scale` 0 means that it holds real numbers; `data` that it is a constant."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: float = 0.0
    zero: int = 0
    data: NDArray[Any] | None = None
    signature: tuple[int, ...] | None = None


def layer(folder: Path, given: Tensor, weights: Tensor, bias: Tensor, scores: Tensor, answer: Tensor) -> Path:
    """Write `answer = softmax(weights @ given + bias)`."""
    builder = flatbuffers.Builder(1024)
    tensors = [given, weights, bias, scores, answer]
    codes = [tflite.BuiltinOperator.FULLY_CONNECTED, tflite.BuiltinOperator.SOFTMAX]
    options = [_connected(builder), _softmax(builder)]
    operators = [_operator(builder, 0, [0, 1, 2], [3], options[0]), _operator(builder, 1, [3], [4], options[1])]
    made = [_tensor(builder, tensor, number + 1) for number, tensor in enumerate(tensors)]
    graph = _graph(builder, made, operators)
    buffers = [_buffer(builder, None), *(_buffer(builder, tensor.data) for tensor in tensors)]
    model = _model(builder, [_code(builder, code) for code in codes], graph, buffers)
    builder.Finish(model, b"TFL3")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(bytes(builder.Output()))
    return folder


def _offsets(builder: Any, start: Any, items: list[int]) -> int:
    start(builder, len(items))
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return int(builder.EndVector())


def _tensor(builder: Any, tensor: Tensor, buffer: int) -> int:
    name = builder.CreateString(tensor.name)
    shape = builder.CreateNumpyVector(np.array(tensor.shape, np.int32))
    signature = builder.CreateNumpyVector(np.array(tensor.signature or tensor.shape, np.int32))
    quantisation = 0
    if tensor.scale:
        scale = builder.CreateNumpyVector(np.array([tensor.scale], np.float32))
        zero = builder.CreateNumpyVector(np.array([tensor.zero], np.int64))
        tflite.QuantizationParametersStart(builder)
        tflite.QuantizationParametersAddScale(builder, scale)
        tflite.QuantizationParametersAddZeroPoint(builder, zero)
        quantisation = tflite.QuantizationParametersEnd(builder)
    tflite.TensorStart(builder)
    tflite.TensorAddName(builder, name)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddShapeSignature(builder, signature)
    tflite.TensorAddType(builder, TYPES[tensor.dtype])
    tflite.TensorAddBuffer(builder, buffer)
    if quantisation:
        tflite.TensorAddQuantization(builder, quantisation)
    return int(tflite.TensorEnd(builder))


def _buffer(builder: Any, data: NDArray[Any] | None) -> int:
    content = 0 if data is None else builder.CreateByteVector(np.ascontiguousarray(data).tobytes())
    tflite.BufferStart(builder)
    if content:
        tflite.BufferAddData(builder, content)
    return int(tflite.BufferEnd(builder))


def _connected(builder: Any) -> tuple[int, int]:
    tflite.FullyConnectedOptionsStart(builder)
    return tflite.BuiltinOptions.FullyConnectedOptions, tflite.FullyConnectedOptionsEnd(builder)


def _softmax(builder: Any) -> tuple[int, int]:
    tflite.SoftmaxOptionsStart(builder)
    tflite.SoftmaxOptionsAddBeta(builder, 1.0)
    return tflite.BuiltinOptions.SoftmaxOptions, tflite.SoftmaxOptionsEnd(builder)


def _operator(builder: Any, code: int, inputs: list[int], outputs: list[int], options: tuple[int, int]) -> int:
    given = builder.CreateNumpyVector(np.array(inputs, np.int32))
    made = builder.CreateNumpyVector(np.array(outputs, np.int32))
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, code)
    tflite.OperatorAddInputs(builder, given)
    tflite.OperatorAddOutputs(builder, made)
    tflite.OperatorAddBuiltinOptionsType(builder, options[0])
    tflite.OperatorAddBuiltinOptions(builder, options[1])
    return int(tflite.OperatorEnd(builder))


def _code(builder: Any, code: int) -> int:
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, code)
    tflite.OperatorCodeAddBuiltinCode(builder, code)
    tflite.OperatorCodeAddVersion(builder, 4)
    return int(tflite.OperatorCodeEnd(builder))


def _graph(builder: Any, tensors: list[int], operators: list[int]) -> int:
    made = _offsets(builder, tflite.SubGraphStartTensorsVector, tensors)
    steps = _offsets(builder, tflite.SubGraphStartOperatorsVector, operators)
    inputs = builder.CreateNumpyVector(np.array([0], np.int32))
    outputs = builder.CreateNumpyVector(np.array([4], np.int32))
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, made)
    tflite.SubGraphAddInputs(builder, inputs)
    tflite.SubGraphAddOutputs(builder, outputs)
    tflite.SubGraphAddOperators(builder, steps)
    return int(tflite.SubGraphEnd(builder))


def _model(builder: Any, codes: list[int], graph: int, buffers: list[int]) -> int:
    made = _offsets(builder, tflite.ModelStartOperatorCodesVector, codes)
    graphs = _offsets(builder, tflite.ModelStartSubgraphsVector, [graph])
    contents = _offsets(builder, tflite.ModelStartBuffersVector, buffers)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, made)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddBuffers(builder, contents)
    return int(tflite.ModelEnd(builder))
