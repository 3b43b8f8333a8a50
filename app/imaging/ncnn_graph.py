"""Real-ESRGAN as ncnn keeps it (a text graph and a file of weights), turned into one ONNX file.

``.param``: a magic number, a line of counts, then a layer a line: type, name, numbers of inputs and outputs, their
names, and ``key=value`` parameters (ncnn's layer documentation). ``.bin``: for each convolution in order a 4-byte tag
(0x01306B47: half precision), the weights (out, in, 3, 3) padded to 4 bytes, and the biases in single precision.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC, HALF_PRECISION = "7767517", 0x01306B47
CONVOLUTIONS = 351  # of RRDBNet: 23 blocks of 3 × 5, and six around them
OPSET, IR_VERSION = 17, 9
INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True, slots=True)
class Layer:
    """One line of the graph; values are as ncnn writes them."""

    kind: str
    name: str
    inputs: list[str]
    outputs: list[str]
    values: dict[int, str]


def convert(param: bytes, weights: bytes, into: Path) -> None:
    """Write the ONNX file: RGB in (1, 3, h, w), 0–1, four times as large out. Weights stay in half precision on disk.

    Raises ValueError when the graph or the weights are not what is expected; the weights must be used up exactly.
    """
    import onnx
    from onnx import helper

    layers = list(_layers(param.decode("ascii")))
    count = sum(layer.kind == "Convolution" for layer in layers)
    if count != CONVOLUTIONS:
        raise ValueError(f"{count} convolutions, {CONVOLUTIONS} expected")
    reader = _Weights(weights)
    build = _Builder(reader)
    for layer in layers:
        build.add(layer)
    reader.finish()
    shape_in, shape_out = (helper.make_tensor_value_info(n, 1, [1, 3, None, None]) for n in (INPUT, OUTPUT))
    graph = helper.make_graph(build.nodes, "realesrgan-x4plus", [shape_in], [shape_out], build.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    into.write_bytes(model.SerializeToString())


def _layers(text: str) -> Iterator[Layer]:
    lines = text.split("\n")
    if lines[0].strip() != MAGIC:
        raise ValueError("not an ncnn graph")
    for line in lines[2:]:
        words = line.split()
        if not words:
            continue
        ins, outs = int(words[2]), int(words[3])
        names, values = words[4 : 4 + ins + outs], words[4 + ins + outs :]
        pairs = (value.split("=", 1) for value in values)
        yield Layer(words[0], words[1], names[:ins], names[ins:], {int(key): value for key, value in pairs})


class _Weights:
    """The file of weights, read from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def convolution(self, outputs: int, size: int) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
        (tag,) = self._take("<u4", 1)
        if tag != HALF_PRECISION:
            raise ValueError(f"weights in an unknown form {int(tag):#x}")
        kernel = self._take("<f2", size)
        self._at += -self._at % 4
        bias = self._take("<f4", outputs)
        return kernel.reshape(outputs, -1, 3, 3), bias

    def _take(self, kind: str, count: int) -> NDArray[Any]:
        if self._at + count * np.dtype(kind).itemsize > len(self._data):
            raise ValueError("the weights end too early")
        taken = np.frombuffer(self._data, kind, count, self._at)
        self._at += taken.nbytes
        return taken

    def finish(self) -> None:
        if self._at != len(self._data):
            raise ValueError(f"{len(self._data) - self._at} bytes of weights are left over")


class _Builder:
    """ONNX nodes for the six kinds of layers that RRDBNet is made of."""

    def __init__(self, weights: _Weights) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._weights = weights
        self._same: dict[str, str] = {}  # outputs of Split are their input
        self._constant("scales", np.array([1, 1, 2, 2], np.float32))

    def add(self, layer: Layer) -> None:
        make = getattr(self, f"_{layer.kind.lower()}", None)
        if make is None:
            raise ValueError(f"a layer of unknown kind {layer.kind}")
        make(layer, [self._same.get(name, name) for name in layer.inputs])

    def _input(self, layer: Layer, _: list[str]) -> None:
        self._same[layer.outputs[0]] = INPUT

    def _split(self, layer: Layer, inputs: list[str]) -> None:
        self._same.update(dict.fromkeys(layer.outputs, inputs[0]))

    def _concat(self, layer: Layer, inputs: list[str]) -> None:
        self._node("Concat", inputs, layer.outputs[0], axis=1)

    def _binaryop(self, layer: Layer, inputs: list[str]) -> None:
        if layer.values.get(0, "0") != "0":
            raise ValueError("only additions are expected")
        self._node("Add", inputs, layer.outputs[0])

    def _eltwise(self, layer: Layer, inputs: list[str]) -> None:
        """A weighted sum: ``-23301=2,0.2,1.0``."""
        shares = [float(value) for value in layer.values[-23301].split(",")[1:]]
        if layer.values[0] != "1" or shares[1] != 1.0:
            raise ValueError("only sums whose second share is 1 are expected")
        share = self._constant(f"{layer.name}_share", np.array(shares[0], np.float32))
        scaled = self._node("Mul", [inputs[0], share], f"{layer.name}_scaled")
        self._node("Add", [scaled, inputs[1]], layer.outputs[0])

    def _interp(self, layer: Layer, inputs: list[str]) -> None:
        if (layer.values[0], float(layer.values[1]), float(layer.values[2])) != ("1", 2.0, 2.0):
            raise ValueError("only doubling by nearest neighbour is expected")
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        self._node("Resize", [inputs[0], "", "scales"], layer.outputs[0], **how)

    def _convolution(self, layer: Layer, inputs: list[str]) -> None:
        values = layer.values
        if (values[1], values[4], values[5]) != ("3", "1", "1"):
            raise ValueError("only 3 × 3 convolutions with a border of 1 and biases are expected")
        kernel, bias = self._weights.convolution(int(values[0]), int(values[6]))
        half = self._constant(f"{layer.name}_half", kernel)
        full = self._node("Cast", [half], f"{layer.name}_kernel", to=1)
        given = [inputs[0], full, self._constant(f"{layer.name}_bias", bias)]
        leaky = values.get(9) == "2"
        out = self._node("Conv", given, f"{layer.name}_sum" if leaky else layer.outputs[0], pads=[1, 1, 1, 1])
        if leaky:
            self._node("LeakyRelu", [out], layer.outputs[0], alpha=float(values[-23310].split(",")[1]))

    def _node(self, kind: str, inputs: list[str], output: str, **values: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **values))
        return output

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name
