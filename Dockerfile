# One image for every process of ours, and for Chroma, whose server is in the wheel of its client.
FROM python:3.11.13-slim-bookworm AS built
WORKDIR /source
RUN pip install --no-cache-dir "uv>=0.9,<1" && python -m venv /opt/copilot
COPY pyproject.toml requirements.lock README.md LICENSE NOTICE ./
COPY knowledge knowledge
COPY ingest ingest
COPY app app
COPY bots bots
COPY evals evals
# The lock has what tests need, too; as constraints it gives versions and sums to what the program needs.
RUN uv pip install --no-cache --compile-bytecode --python /opt/copilot/bin/python --constraint requirements.lock ".[ocr]"
# Weights and vocabularies, as `make install` makes them.
RUN /opt/copilot/bin/python -m knowledge.embeddings.bundled /cache \
 && /opt/copilot/bin/python -m app.imaging.weights /cache \
 && /opt/copilot/bin/python -m app.llm.token_files /cache/tokenizers

FROM python:3.11.13-slim-bookworm
RUN useradd --uid 10001 --create-home copilot \
 && install --directory --owner copilot /data /shared /chroma
COPY --from=built /opt/copilot /opt/copilot
COPY --from=built --chown=copilot /cache /cache
ENV PATH=/opt/copilot/bin:$PATH COPILOT_DATA=/data COPILOT_CACHE=/cache COPILOT_HOST=0.0.0.0
USER copilot
WORKDIR /home/copilot
EXPOSE 8000
CMD ["copilot", "api"]
