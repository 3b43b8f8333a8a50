"""The label in the file: made with AI, by whom, which job. In every generated or edited picture, never in crops.

China's measures for labelling AI-generated content (人工智能生成合成内容标识办法, in force since 2025-09-01) ask for an
implicit label in the file's metadata; GB 45438-2025 annex E names its fields, and TC260's practice guide puts them as
JSON into the XMP property ``AIGC`` of the namespace below. ``Label`` is "1" (is AI-generated), "2" (may be) or "3"
(is suspected). Beside it stand IPTC's digital source type, as other platforms read it, and the job that made the file.
"""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Literal, TypeAlias
from xml.sax.saxutils import escape

from PIL import Image, PngImagePlugin

from app.imaging.requests import Format

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
OURS = "urn:merchant-copilot:picture:1.0"
_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
Origin: TypeAlias = Literal["drawn", "inpainted", "composed", "enhanced"]
SOURCE_TYPES: dict[Origin, str] = {
    "drawn": f"{_IPTC}trainedAlgorithmicMedia",
    "inpainted": f"{_IPTC}compositeWithTrainedAlgorithmicMedia",
    "composed": f"{_IPTC}composite",
    "enhanced": f"{_IPTC}algorithmicallyEnhanced",
}
LONGEST_PACKET = 100_000  # characters; more is not ours
EXIF_DESCRIPTION, EXIF_SOFTWARE = 0x010E, 0x0131


@dataclass(frozen=True, slots=True)
class Label:
    """Who made what. ``producer`` is the name or code of whoever offers the service; ``origin`` is IPTC's term."""

    producer: str
    job_id: str
    engine: str
    model: str
    kind: str
    origin: Origin = "composed"

    def aigc(self) -> dict[str, str]:
        """The fields of GB 45438-2025. Reserved codes are for signatures; propagators fill in their own."""
        return {
            "Label": "1",
            "ContentProducer": self.producer,
            "ProduceID": self.job_id,
            "ReservedCode1": "",
            "ContentPropagator": "",
            "PropagateID": "",
            "ReservedCode2": "",
        }


@dataclass(frozen=True, slots=True)
class Found:
    """What a file says about itself. ``ours`` is empty for labels of other services."""

    aigc: Mapping[str, str]
    ours: Mapping[str, str]


def written(image: Image.Image, format_: Format, label: Label | None, *, quality: int = 92) -> bytes:
    """The file. Without a label it carries no metadata at all: neither the camera's place nor its owner."""
    out = BytesIO()
    packet = _packet(label).encode() if label else None
    if format_ == "png":
        info = PngImagePlugin.PngInfo()
        if label and packet:
            info.add_itxt("XML:com.adobe.xmp", packet.decode())
            info.add_itxt("AIGC", _json(label.aigc()))
            info.add_text("Software", label.producer if label.producer.isascii() else "Merchant Copilot")
        # Level 3 is three times as fast as 6 and 5 % larger.
        image.save(out, "PNG", pnginfo=info, compress_level=3)
        return out.getvalue()
    extra = {"xmp": packet, "exif": _exif(label)} if label and packet else {}
    if format_ == "webp":
        image.save(out, "WEBP", quality=quality, method=4, **extra)
    else:
        image.convert("RGB").save(out, "JPEG", quality=quality, subsampling=0, optimize=True, **extra)
    return out.getvalue()


def read_label(data: bytes) -> Found | None:
    """The label of a file, ours or another service's; None when there is none."""
    try:
        with Image.open(BytesIO(data)) as image:
            raw = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or ""
            plain = image.info.get("AIGC", "")
    except (OSError, ValueError, SyntaxError):
        return None
    packet = raw.decode("utf-8", errors="replace") if isinstance(raw, bytes) else str(raw)
    packet = packet[:LONGEST_PACKET]
    aigc = _fields(_property(packet, r"\w+:AIGC")) or _fields(str(plain)[:LONGEST_PACKET])
    if not aigc:
        return None
    return Found(aigc, _fields(_property(packet, "copilot:made")))


def _property(packet: str, name: str) -> str:
    """An XMP property as an element or as an attribute. No XML parser: the file may come from anyone."""
    element = re.search(rf"<{name}(?:\s[^>]*)?>(.*?)</{name}>", packet, re.DOTALL)
    attribute = re.search(rf'\s{name}="([^"]*)"', packet)
    found = element or attribute
    return html.unescape(found.group(1)) if found else ""


def _fields(text: str) -> dict[str, str]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def _packet(label: Label) -> str:
    made = {"job": label.job_id, "engine": label.engine, "model": label.model, "kind": label.kind}
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:TC260="{NAMESPACE}" xmlns:copilot="{OURS}"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f"<TC260:AIGC>{escape(_json(label.aigc()))}</TC260:AIGC>"
        f"<copilot:made>{escape(_json(made))}</copilot:made>"
        f"<xmp:CreatorTool>{escape(label.producer)}</xmp:CreatorTool>"
        f"<Iptc4xmpExt:DigitalSourceType>{SOURCE_TYPES[label.origin]}</Iptc4xmpExt:DigitalSourceType>"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


def _exif(label: Label) -> bytes:
    """For readers without XMP: the same fields as the picture's description."""
    exif = Image.Exif()
    exif[EXIF_DESCRIPTION] = json.dumps({"AIGC": label.aigc()})  # EXIF is ASCII: other letters are escaped
    exif[EXIF_SOFTWARE] = "Merchant Copilot"
    return exif.tobytes()


def _json(fields: Mapping[str, str]) -> str:
    return json.dumps(fields, ensure_ascii=False)
