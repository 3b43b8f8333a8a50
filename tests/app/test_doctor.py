"""``copilot doctor``: what is in force, from where, and what is missing."""

import json
import os
import re
import shutil
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from string import Formatter
from uuid import uuid4

import pytest
from pydantic import ValidationError
from sqlalchemy import column, table, update

from app import doctor
from app.cli.main import settings_for
from app.database import newest
from app.doctor import Finding, Report, examine, invalid_settings, render, settings_table
from app.doctor.report import CATALOG
from app.doctor.sources import without_password
from app.processes.embedded import embedded_services
from app.processes.runtime import data_folder_held
from app.processes.words import load_catalog
from app.settings import Settings
from knowledge.database import Database
from knowledge.embeddings.encoder_file import encoder_path
from knowledge.errors import InvalidInput
from knowledge.moves import Moves
from tests import postgres
from tests.contracts.rerank_server import KEY as RERANK_KEY
from tests.contracts.rerank_server import MODEL, rerank_server
from tests.contracts.tiny_models import gpu_extra
from tests.products import product
from tests.products import settings_for as settings_of

KEY = "sk-0123456789abcdef"


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without a ``.env``, and no settings of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"COPILOT_{name.upper()}", raising=False)
    monkeypatch.setenv("COPILOT_CACHE", str(tmp_path / "cache"))


def found(report: Report, code: str) -> Finding:
    return next(finding for finding in report.findings if finding.code == code)


def codes(report: Report, level: str) -> set[str]:
    return {finding.code for finding in report.findings if finding.level == level}


def write_dotenv(text: str) -> None:
    Path(".env").write_text(text, encoding="utf-8")


class Models(BaseHTTPRequestHandler):
    """GET /v1/models as OpenAI-compatible endpoints have it, for one key."""

    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] == f"Bearer {KEY}"
        listed = self.path == "/v1/models"
        self.send_response(404 if not listed else 200 if allowed else 401)
        self.end_headers()
        if allowed and listed:
            self.wfile.write(json.dumps({"data": [{"id": "qwen-plus"}, {"id": "qwen-max"}]}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its signature)
        """Silent."""


@contextmanager
def endpoint() -> Generator[str]:
    with HTTPServer(("127.0.0.1", 0), Models) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


async def test_a_fresh_machine_is_healthy_and_told_that_answers_quote() -> None:
    report = await examine(Settings(port=0))
    assert report.healthy
    assert codes(report, "note") == {"model_none", "embedder_not_converted", "drawing_none", "dingtalk_none"}
    assert codes(report, "ok") >= {"python_ok", "data_new", "redis_bundled", "chroma_bundled", "database_new"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", str(found(report, "redis_bundled").params["version"]))


async def test_looking_makes_nothing(tmp_path: Path) -> None:
    await examine(Settings())
    assert not any(os.scandir(tmp_path))


async def test_each_setting_is_shown_with_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    write_dotenv("COPILOT_PASSAGES=4\nCOPILOT_PORT=1\nCOPILOT_HOST=0.0.0.0\n")
    monkeypatch.setenv("COPILOT_PORT", "0")
    monkeypatch.setenv("COPILOT_HOST", "10.0.0.1")
    report = await examine(Settings(host="127.0.0.1"))
    in_force = {setting.name: (setting.value, setting.source) for setting in report.settings}
    assert in_force["COPILOT_PASSAGES"] == ("4", ".env")
    assert in_force["COPILOT_PORT"] == ("0", "environment")
    assert in_force["COPILOT_HOST"] == ("127.0.0.1", "option")
    assert in_force["COPILOT_CANDIDATES"] == ("50", "default")
    assert in_force["COPILOT_REDIS_URL"] == (None, "default")
    assert len(in_force) == len(Settings.model_fields)


async def test_no_secret_is_shown_in_text_or_json() -> None:
    secrets = ["geheim-redis", "geheim-sql", "geheim-token", "geheim-short", KEY]
    report = await examine(
        Settings(
            port=0,
            redis_url="redis://:geheim-redis@127.0.0.1:1/0",
            database_url="postgresql+asyncpg://copilot:geheim-sql@127.0.0.1:1/copilot",
            chroma_url="http://127.0.0.1:1/?token=geheim-token",
            api_key="geheim-short",  # type: ignore[arg-type]
            model_api_key=KEY,  # type: ignore[arg-type]
        )
    )
    for text in (render(report, "en"), render(report, "zh"), json.dumps(report.json())):
        assert [secret for secret in secrets if secret in text] == []
        assert "***cdef" in text  # enough to tell two keys apart
    assert codes(report, "error") == {"redis_unreachable", "database_unreachable", "chroma_unreachable"}


@pytest.mark.parametrize(
    ("url", "without"),
    [
        ("redis://:pw@h:1/0", "redis://:***@h:1/0"),
        ("rediss://u:p%40w@h:1/0?ssl=1", "rediss://u:***@h:1/0?ssl=1"),
        ("http://h/x?api_key=abc&a=b", "http://h/x?api_key=***&a=b"),
        ("sqlite+aiosqlite:////data/copilot.db", "sqlite+aiosqlite:////data/copilot.db"),
        ("http://user@h", "http://user@h"),
        ("redis://:p@s/word@h:1/0", "redis://:***@h:1/0"),
        ("no url: at@all", "no url: at@all"),
    ],
)
def test_only_what_is_secret_in_a_url_is_masked(url: str, without: str) -> None:
    assert without_password(url) == without


async def test_a_misspelt_variable_is_noticed_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    write_dotenv("COPILOT_MODEL_NAM=qwen-plus\nPATH_OF_OTHERS=1\n")
    monkeypatch.setenv("COPILOT_SOMETHING_ELSE", "1")
    report = await examine(Settings(port=0))
    assert found(report, "setting_misspelt").params == {"name": "COPILOT_MODEL_NAM", "close": "COPILOT_MODEL_NAME"}
    assert found(report, "setting_unknown").params == {"name": "COPILOT_SOMETHING_ELSE"}
    assert report.healthy


def test_invalid_settings_become_one_sentence_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPILOT_PORT", "eighty-secret")
    monkeypatch.setenv("COPILOT_LOG_LEVEL", "LOUD")
    with pytest.raises(ValidationError) as caught:
        Settings()
    error = invalid_settings(caught.value)
    assert error.error_code == "setting_invalid"
    assert "COPILOT_PORT: Input should be a valid integer" in error.message
    assert "COPILOT_LOG_LEVEL: Input should be 'DEBUG', 'INFO'" in error.message
    assert "eighty-secret" not in error.message


async def test_a_data_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    report = await examine(Settings(port=0, data=tmp_path / "file"))
    assert not report.healthy
    assert found(report, "data_not_writable").params["reason"] == "Not a directory"


async def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        report = await examine(Settings(port=port))
    assert codes(report, "error") == {"port_busy"}
    assert f"Port {port} on 127.0.0.1 is taken by another program." in found(report, "port_busy").sentence("en")


async def test_little_space_is_a_warning_and_hardly_any_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk cannot be filled for a test, so the measuring is told what to find."""
    usage = type(shutil.disk_usage("."))
    for free, level in ((2**30, "warning"), (2**20, "error")):
        monkeypatch.setattr("app.doctor.checks.shutil.disk_usage", lambda _, free=free: usage(2**40, 2**40, free))
        assert found(await examine(Settings(port=0)), "space_low").level == level


@pytest.mark.processes
async def test_servers_that_answer_are_told_from_servers_that_do_not(tmp_path: Path) -> None:
    async with embedded_services(Settings(data=tmp_path / "servers"), redis=True, chroma=True) as services:
        settings = Settings(port=0, redis_url=services.redis_url, chroma_url=services.chroma_url)
        report = await examine(settings)
        assert report.healthy
        assert {"redis_reached", "chroma_reached"} <= codes(report, "ok")
    assert codes(await examine(settings), "error") == {"redis_unreachable", "chroma_unreachable"}


async def test_a_database_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "copilot.db").write_text("this is no database, however long it goes on" * 100)
    assert codes(await examine(Settings(port=0)), "error") == {"database_unreachable"}
    driver = await examine(Settings(port=0, database_url="oracle+nothing://h/x"))
    assert codes(driver, "error") == {"database_unreachable"}


async def test_a_converted_embedder_is_found(tmp_path: Path) -> None:
    path = encoder_path(tmp_path / "cache")
    path.parent.mkdir(parents=True)
    path.touch()
    assert found(await examine(Settings(port=0)), "embedder_converted").params == {"path": str(path)}


async def test_a_cache_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    assert "cache_not_writable" in codes(await examine(Settings(port=0)), "error")


@pytest.mark.parametrize(
    ("key", "name", "path", "level", "code"),
    [
        (KEY, "qwen-plus", "", "ok", "endpoint_reached"),
        (KEY, "qwen-minus", "", "warning", "endpoint_model_unlisted"),
        ("sk-wrong", "qwen-plus", "", "error", "endpoint_key_refused"),
        (None, "qwen-plus", "", "error", "endpoint_key_missing"),
        (KEY, "qwen-plus", "/elsewhere", "ok", "endpoint_answers"),
    ],
)
async def test_the_endpoint_of_the_model_is_asked_for_its_models(
    key: str | None, name: str, path: str, level: str, code: str
) -> None:
    with endpoint() as url:
        settings = Settings(port=0, model_base_url=url + path, model_name=name, model_api_key=key)  # type: ignore[arg-type]
        assert found(await examine(settings), code).level == level


async def test_the_endpoint_of_the_embedder_is_asked_too_and_its_own_variables_are_named() -> None:
    with endpoint() as url:
        settings = Settings(port=0, embedder="openai", embedding_base_url=url, embedding_model="bge-m3")
        sentence = found(await examine(settings), "endpoint_key_missing").sentence("en")
        assert sentence.endswith("Set COPILOT_EMBEDDING_API_KEY.")
    assert codes(await examine(settings), "error") == {"endpoint_unreachable"}


async def test_a_model_of_sentence_transformers_is_looked_for(tmp_path: Path) -> None:
    gpu_extra()
    told = {"port": 0, "embedder": "sentence_transformers"}
    for model, code in (
        (None, "torch_model_unset"),
        (str(tmp_path / "absent"), "torch_model_absent"),
        (str(tmp_path), "torch_model_no_model"),
        ("BAAI/bge-m3", "torch_model_hub"),
    ):
        report = await examine(Settings(**told, embedding_model=model))  # type: ignore[arg-type]
        assert found(report, code).level == ("note" if code == "torch_model_hub" else "error")
    (tmp_path / "modules.json").touch()
    (tmp_path / "model.safetensors").touch()
    report = await examine(Settings(**told, embedding_model=str(tmp_path)))  # type: ignore[arg-type]
    assert found(report, "torch_model_ready").params["precision"] == "auto"
    cross = await examine(Settings(port=0, reranker="cross_encoder", rerank_model=str(tmp_path)))
    assert found(cross, "torch_model_no_model").params["mark"] == "config.json"


async def test_a_missing_extra_is_named_with_the_setting_that_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doctor.found_models.find_spec", lambda _: None)
    report = await examine(Settings(port=0, reranker="cross_encoder", rerank_model="x/y"))
    assert found(report, "gpu_extra_missing").sentence("en").startswith("COPILOT_RERANKER asks")


async def test_the_rerank_endpoint_is_asked_to_rerank() -> None:
    async with rerank_server() as server:
        told = {"port": 0, "reranker": "http", "rerank_url": server.url, "rerank_model": MODEL}
        refused = found(await examine(Settings(**told)), "rerank_failing")  # type: ignore[arg-type]
        assert refused.params["code"] == "rerank_key_refused"
        assert found(await examine(Settings(**told, rerank_api_key=RERANK_KEY)), "rerank_reached").level == "ok"  # type: ignore[arg-type]


async def test_a_database_server_is_told_by_version_and_revision(tmp_path: Path) -> None:
    if postgres.programs() is None:
        pytest.skip(postgres.INSTALL)
    server = postgres.server()
    urls = [server.of_folder(tmp_path), server.fresh(uuid4().hex)]
    filled, empty = [await examine(Settings(port=0, database_url=url, secret=KEY)) for url in urls]  # type: ignore[arg-type]
    params = found(filled, "database_reached").params
    assert (params["program"], params["revision"]) == ("postgresql", newest())
    assert re.fullmatch(r"\d+\.\d+", str(params["version"]))
    assert found(empty, "database_empty").params["tables"] == 0
    assert found(filled, "shared_missing").params["names"] == "COPILOT_FILES_FOLDER, COPILOT_ARTIFACTS_URL"
    elsewhere = server.url("nonesuch").replace("postgresql+asyncpg", "postgres")
    lost = found(await examine(Settings(port=0, database_url=elsewhere)), "database_unreachable").params
    assert lost["reason"] == 'database "nonesuch" does not exist'


async def test_a_database_that_a_newer_program_has_migrated_is_an_error(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "data", port=0)
    for revision, code in (("9999", "database_ahead"), ("0001", "database_behind")):
        database = Database(settings.database)
        async with database.write() as connection:
            versions = table("alembic_version", column("version_num"))
            await connection.execute(update(versions).values(version_num=revision))
        await database.close()
        assert found(await examine(settings), code).params["revision"] == revision


async def test_an_address_that_is_none_of_a_database_is_told_without_its_password() -> None:
    for url in ("postgresql://u:geheim@h:x/y", "mysql://u:geheim@h/y", "nonsense"):
        report = await examine(Settings(port=0, database_url=url))
        assert codes(report, "error") == {"database_unreachable"}
        assert "geheim" not in render(report, "en")


async def test_a_knowledge_base_that_moves_is_named(tmp_path: Path) -> None:
    async with product(tmp_path / "data") as services:
        await services.knowledge.catalog.create_knowledge_base("default", "shop", embedding_model="old-1")
        parts = services.parts
        kb = await services.knowledge.catalog.knowledge_base("default", "shop")
        assert await Moves(parts.database, parts.catalog, "new-1", "me").claim(kb.id)
    params = found(await examine(settings_of(tmp_path / "data", port=0)), "base_moving").params
    assert params == {"name": "shop", "old": "old-1", "new": "new-1"}


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"model_name": "qwen-plus"}, "model_half"),
        ({"model_base_url": "http://127.0.0.1:1/v1"}, "model_half"),
        ({"embedder": "openai"}, "embedder_half"),
        ({"reranker": "http"}, "rerank_half"),
    ],
)
async def test_what_is_configured_by_half_is_an_error(settings: dict[str, str], code: str) -> None:
    assert codes(await examine(Settings(port=0, **settings)), "error") == {code}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "require", "level", "code"),
    [
        ("127.0.0.1", None, "ok", "keys_not_needed"),
        ("0.0.0.0", None, "note", "keys_required"),  # noqa: S104
        ("127.0.0.1", True, "note", "keys_required"),
        ("0.0.0.0", False, "warning", "keys_off"),  # noqa: S104
    ],
)
async def test_it_says_whether_keys_are_asked_for(host: str, require: bool | None, level: str, code: str) -> None:
    assert found(await examine(Settings(port=0, host=host, require_keys=require)), code).level == level


async def test_the_folder_of_a_single_command_does_not_look_like_a_running_copilot(tmp_path: Path) -> None:
    async with data_folder_held(tmp_path, wait=0):
        assert "running" not in codes(await examine(Settings(port=0, data=tmp_path)), "ok")


async def test_the_text_puts_the_worst_last_and_speaks_both_languages() -> None:
    report = await examine(Settings(port=0, model_name="qwen-plus", host="0.0.0.0", require_keys=False))  # noqa: S104
    text = render(report, "zh").splitlines()
    assert "语言模型只配置了一半" in text[-1]
    assert text[-1].startswith("✗")
    assert any(line.startswith("COPILOT_MODEL_NAME") and "qwen-plus" in line and "命令行选项" in line for line in text)
    assert render(report, "en").splitlines()[-1].startswith("✗ The language model is configured by half")
    assert "\x1b[" in render(report, "en", colour=True)
    assert "\x1b[" not in render(report, "en")


async def test_json_has_what_the_text_has() -> None:
    body = (await examine(Settings(port=0))).json()
    assert json.loads(json.dumps(body)) == body
    assert body["healthy"] is True
    assert {"name": "COPILOT_PORT", "value": "0", "source": "option"} in body["settings"]
    assert {row["level"] for row in body["findings"]} <= {"ok", "note", "warning", "error"}
    assert all(row["message"] and row["message_zh"] for row in body["findings"])


def test_every_sentence_exists_in_both_languages_with_the_same_parameters_and_is_used() -> None:
    folder = Path(doctor.__file__).parent
    source = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    elsewhere = {"port_busy", "port_forbidden", "host_unusable"}  # from app.processes.ports
    for code, sentences in load_catalog(CATALOG).items():
        assert set(sentences) == {"en", "zh"}, code
        assert fields(sentences["en"]) == fields(sentences["zh"]), code
        made = re.sub(
            r"^(source|redis|chroma|database|endpoint)_(default|environment|env|option|unreachable)$", "", code
        )
        assert not made or f'"{code}"' in source or code in elsewhere, code


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_the_tables_of_settings_have_a_row_for_each_with_default_and_choices() -> None:
    ours, bots, knowledge = (settings_table(where).splitlines() for where in ("root", "bots", "knowledge"))
    assert ours[:2] == bots[:2] == knowledge[:2] == ["| Variable | Default | |", "|---|---|---|"]
    rows = ours[2:] + bots[2:] + knowledge[2:]
    fields = [f"COPILOT_{name.upper()}" for name in Settings.model_fields]
    assert sorted(row.split("`")[1] for row in rows) == sorted(fields)
    assert {row.split("_")[1] for row in bots[2:]} == {"DINGTALK"}
    assert {row.split("_")[1] for row in knowledge[2:]} == {"EMBEDDING", "RERANK"}
    assert "| `COPILOT_PORT` | `8000` | Port of the API. |" in ours
    assert [row for row in ours if row.endswith(" `bundled` or `sentence_transformers` or `openai`. |")]
    assert all(row.count("|") - row.count("\\|") == 4 for row in rows)


async def test_models_that_draw_are_named_and_missing_weights_are_told(tmp_path: Path) -> None:
    settings = Settings(port=0, data=tmp_path / "data", cache=tmp_path / "cache")
    assert "pictures_no_weights" in codes(await examine(settings), "warning")
    model = tmp_path / "data" / "models" / "tiny"
    model.mkdir(parents=True)
    (model / "model_index.json").write_text("{}", encoding="utf-8")
    report = await examine(settings)
    drawing = [finding for finding in report.findings if finding.code.startswith("drawing_")]
    assert [finding.params["names"] for finding in drawing] == ["tiny"]


async def test_each_of_several_models_is_named_asked_and_its_key_masked() -> None:
    other = "sk-fedcba9876543210"
    with endpoint() as url:
        fallbacks = [
            {
                "base_url": url,
                "model": "qwen-max",
                "api_key": other,
                "context": 8192,
                "price": {"input": 2, "output": 6},
            },
            {"base_url": "http://127.0.0.1:1/v1", "model": "local", "tools": False},
        ]
        settings = Settings(
            port=0, model_base_url=url, model_name="qwen-plus", model_api_key=KEY, model_fallbacks=fallbacks
        )  # type: ignore[arg-type]
        report = await examine(settings)
    host = url.removeprefix("http://").removesuffix("/v1")
    about = [finding for finding in report.findings if finding.code.startswith("model_in_order")]
    assert [finding.params["name"] for finding in about] == [
        f"qwen-plus@{host}",
        f"qwen-max@{host}",
        "local@127.0.0.1:1",
    ]
    assert about[1].params["context"] == 8192
    assert about[1].params["price"] == "2 + 6 CNY"
    assert about[2].code == "model_in_order_no_tools"
    assert found(report, "endpoint_reached").params["name"] == "qwen-plus"
    assert found(report, "endpoint_key_refused").params["variable"] == "COPILOT_MODEL_FALLBACKS"
    assert found(report, "endpoint_unreachable").params["variable"] == "COPILOT_MODEL_FALLBACKS"
    for text in (render(report, "en"), render(report, "zh"), json.dumps(report.json())):
        assert other not in text
        assert "***3210" in text


async def test_a_fallback_without_a_first_model_is_configured_by_half() -> None:
    report = await examine(Settings(port=0, model_fallbacks=[{"base_url": "http://h/v1", "model": "m"}]))  # type: ignore[arg-type]
    assert "model_half" in codes(report, "error")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('[{"base_url": sk-geheim', "not JSON"),
        ('[{"base_url": "http://h/v1", "model": "m", "api_key": "sk-gehéim"}]', "FALLBACKS.0.API_KEY"),
        ('[{"base_url": "http://h/v1", "modell": "m"}]', "FALLBACKS.0.MODEL"),
    ],
)
def test_fallbacks_that_cannot_be_read_are_one_sentence_without_the_key(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("COPILOT_MODEL_FALLBACKS", value)
    with pytest.raises(InvalidInput) as raised:
        settings_for()
    assert said in raised.value.message
    assert "geh" not in raised.value.message
