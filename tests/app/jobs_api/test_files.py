"""Pictures sent and files fetched: harmless, in parts, by signed links."""

import io
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from app.jobs.ports import NewArtifact
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs_api.calls import code_of, png, served, two_tenants


async def upload(http: httpx.AsyncClient, data: bytes, name: str = "杯子.png") -> httpx.Response:
    return await http.post("/v1/artifacts", files={"file": (name, io.BytesIO(data))})


async def test_a_picture_is_uploaded_and_comes_back_harmless(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        sent = await upload(http, png())
        assert sent.status_code == 201
        kept = sent.json()
        assert (kept["name"], kept["media_type"], kept["size"]) == ("杯子.png", "image/png", len(png()))
        assert (kept["job_id"], kept["about"]) == (None, {"uploaded": True})
        got = await http.get(kept["url"])
        assert (got.status_code, got.content) == (200, png())
        assert got.headers["content-type"] == "image/png"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in got.headers["content-security-policy"]
        assert got.headers["accept-ranges"] == "bytes"
        assert got.headers["content-length"] == str(len(png()))
        assert got.headers["cache-control"].startswith("private")
        inline = got.headers["content-disposition"]
        assert inline.startswith("inline;")
        assert unquote(inline.partition("filename*=UTF-8''")[2]) == "杯子.png"
        attached = await http.get(kept["url"], params={"download": "true"})
        assert attached.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    "content",
    [
        "说明：这不是图片".encode(),
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<html><script>alert(1)</script></html>",
        b"%PDF-1.7\n",
        b"",
    ],
)
async def test_what_is_no_picture_is_refused_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    async with served(tmp_path) as (http, _):
        assert code_of(await upload(http, content)) == (415, "unsupported")
        assert list((tmp_path / "artifacts").rglob("*")) == []


@pytest.mark.parametrize("name", ['a"b\\c.png', "../../etc/passwd", "一\r\n二.png", "x" * 400 + ".png"])
async def test_no_name_breaks_out_of_its_header(tmp_path: Path, name: str) -> None:
    async with served(tmp_path) as (http, services):
        new = NewArtifact(png(), "image/png", name[:300])
        kept = await services.jobs.artifacts.upload(DEFAULT_TENANT, new)
        header = (await http.get(f"/v1/artifacts/{kept.id}")).headers["content-disposition"]
        quoted, _, extended = header.partition("\"; filename*=UTF-8''")
        assert not set('"\\\r\n/') & set(quoted.partition('"')[2])
        assert not set('"\r\n/; ') & set(extended)
        assert unquote(extended) == name[:300]


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=4-", 206, slice(4, None)),
        ("bytes=0-", 206, slice(0, None)),
        ("bytes=-3", 206, slice(-3, None)),
        ("bytes=-9999", 206, slice(0, None)),
        ("bytes=2-99999", 206, slice(2, None)),
        ("bytes=99999-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=5-2", 200, slice(0, None)),
        ("bytes=0-1,4-5", 200, slice(0, None)),
        ("bytes=", 200, slice(0, None)),
        ("items=0-3", 200, slice(0, None)),
        ("bytes=" + "9" * 5000 + "-", 200, slice(0, None)),
    ],
)
async def test_parts_of_a_file_are_served_as_they_are_asked_for(
    tmp_path: Path, wanted: str, status: int, part: slice | None
) -> None:
    async with served(tmp_path) as (http, _):
        kept = (await upload(http, png())).json()
        got = await http.get(kept["url"], headers={"Range": wanted})
        size = len(png())
        assert got.status_code == status
        if part is None:
            assert got.headers["content-range"] == f"bytes */{size}"
            return
        assert got.content == png()[part]
        if status == 206:
            start, end, _ = part.indices(size)
            assert got.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        else:
            assert "content-range" not in got.headers


async def test_a_file_that_the_client_has_is_not_sent_again(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        kept = (await upload(http, png())).json()
        etag = (await http.get(kept["url"])).headers["etag"]
        for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            unchanged = await http.get(kept["url"], headers={"If-None-Match": known})
            assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
        assert (await http.get(kept["url"], headers={"If-None-Match": '"other"'})).status_code == 200
        stale = {"Range": "bytes=0-3", "If-Range": '"other"'}
        assert (await http.get(kept["url"], headers=stale)).status_code == 200
        assert (await http.get(kept["url"], headers={**stale, "If-Range": etag})).status_code == 206


async def test_a_file_that_is_lost_is_an_error_and_not_half_an_answer(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        kept = (await upload(http, png())).json()
        for path in (tmp_path / "artifacts").rglob("*"):
            if path.is_file():
                path.unlink()
        assert code_of(await http.get(kept["url"])) == (503, "files_unavailable")


async def test_too_large_a_picture_leaves_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, max_upload_mb=1) as (http, _):
        assert code_of(await upload(http, png() + bytes(3 << 20))) == (413, "too_large")
        assert list((tmp_path / "artifacts").rglob("*")) == []


async def test_a_signed_link_needs_no_key_and_bears_no_change(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (call, services):
        new = NewArtifact(png(), "image/png", "杯子.png")
        kept = await services.jobs.artifacts.upload(DEFAULT_TENANT, new)
        other = await services.jobs.artifacts.upload(DEFAULT_TENANT, new)
        listed = (await call("write", "POST", "/v1/artifacts", files={"file": ("a.png", png())})).json()
        assert (await call(None, "GET", listed["link"])).content == png()
        path, query = f"/v1/artifacts/{kept.id}", services.jobs.artifacts.sign(kept)
        assert (await call(None, "GET", f"{path}?{query}")).content == png()
        assert (await call(None, "GET", f"{path}?{query}", headers={"Range": "bytes=0-3"})).status_code == 206
        assert code_of(await call(None, "GET", path)) == (401, "key_missing")
        expires, signature = (field.partition("=")[2] for field in query.split("&"))
        for bad in (
            f"{path}?expires={int(expires) + 1}&signature={signature}",
            f"{path}?expires={expires}&signature={signature[:-1]}",
            f"{path}?expires={expires}&signature=签名",
            f"{path}?expires={'9' * 5000}&signature={signature}",
            f"{path}?expires=never&signature={signature}",
            f"{path}?signature={signature}",
            f"/v1/artifacts/{other.id}?{query}",
            f"/v1/artifacts/none?{query}",
        ):
            assert code_of(await call(None, "GET", bad)) == (403, "link_invalid")
        from datetime import timedelta

        old = services.jobs.artifacts.sign(kept, lasting=timedelta(seconds=-1))
        assert code_of(await call(None, "GET", f"{path}?{old}")) == (403, "link_expired")
