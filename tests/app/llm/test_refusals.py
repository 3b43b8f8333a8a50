"""What vendors say when they refuse, in their own words, and what we make of it."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from app.llm import refusals

# Messages as documented by, or reported in public of, the vendors named.
WORDS = [
    (400, "This model's maximum context length is 128000 tokens.", "model_prompt_too_long"),  # OpenAI, vLLM
    (400, "Range of input length should be [1, 30720]", "model_prompt_too_long"),  # DashScope
    (400, "prompt is too long: 210000 tokens > 200000 maximum", "model_prompt_too_long"),  # Anthropic
    (400, "Arrearage: Access denied, please make sure your account is in good standing.", "model_out_of_credit"),
    (400, "API key not valid. Please pass a valid API key.", "model_key_invalid"),  # Gemini
    (400, "Unsupported value: 'temperature' does not support 0.2", "model_bad_request"),  # OpenAI, reasoning models
    (401, "Incorrect API key provided", "model_key_invalid"),
    (402, "Insufficient Balance", "model_out_of_credit"),  # DeepSeek
    (403, "Country, region, or territory not supported", "model_key_invalid"),  # OpenAI
    (404, "model 'qwen3' not found, try pulling it first", "model_not_found"),  # Ollama
    (400, "The response was filtered due to Azure's content management policy.", "model_withheld"),
    (400, "data_inspection_failed: Input data may contain inappropriate content.", "model_withheld"),  # DashScope
    (400, "Content Exists Risk", "model_withheld"),  # DeepSeek
    (400, "系统检测到输入或生成内容可能包含不安全或敏感内容", "model_withheld"),  # Zhipu
    (413, "Payload too large", "model_bad_request"),
    (422, "Input should be a valid string", "model_bad_request"),
    (429, "You exceeded your current quota, please check your plan and billing details.", "model_out_of_credit"),
    (429, "Rate limit reached for requests", "model_rate_limited"),
    (429, "您的账户已欠费", "model_out_of_credit"),
    (500, "Internal server error", "model_unavailable"),
    (503, "The server is overloaded", "model_unavailable"),
    (529, "Overloaded", "model_unavailable"),  # Anthropic
]


@pytest.mark.parametrize(("status", "words", "code"), WORDS)
def test_a_refusal_gets_the_code_that_says_what_to_do(status: int, words: str, code: str) -> None:
    error = refusals.of_status(status, {}, words)
    assert error.error_code == code
    assert error.message.endswith((".", ")."))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("rate_limit_exceeded slow down", "model_rate_limited"),
        ("server_error something", "model_unavailable"),
        ("context_length_exceeded", "model_prompt_too_long"),
        ("insufficient_quota", "model_out_of_credit"),
        ("", "model_unavailable"),
    ],
)
def test_an_error_in_a_stream_is_read_by_its_words(words: str, code: str) -> None:
    assert refusals.in_stream(words).error_code == code


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"x-should-retry": "false"}, math.inf),
    ],
)
def test_the_wait_asked_for_is_read_from_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert refusals.of_status(429, headers, "Rate limit reached").retry_after_s == seconds


def test_the_wait_asked_for_may_be_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    seconds = refusals.of_status(503, {"retry-after": at}, "").retry_after_s
    assert seconds is not None
    assert 25 < seconds <= 30
