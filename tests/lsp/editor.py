"""An editor, as far as a language server can tell: pygls's client, at the pipes of ``kogine lsp``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import on_path

types: Any = pytest.importorskip("lsprotocol.types", reason="it needs pygls, the extra lsp")
LanguageClient: Any = pytest.importorskip("pygls.lsp.client").LanguageClient
LAUNCHER = Path(__file__).parents[1] / "kogine_command.py"
PATIENCE = 60
"""Seconds after which an answer is not to be expected any more."""


class Editor:
    """Files of one folder, open in an editor. A cursor is ``|`` in a text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.client = LanguageClient("tests", "1")
        self.versions: dict[str, int] = {}
        self.texts: dict[str, str] = {}
        self.published: dict[str, Any] = {}
        self.messages: list[str] = []
        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(self._publish())
        self.client.feature(types.WINDOW_SHOW_MESSAGE)(
            lambda params: self.messages.append(params.message)
        )
        self.client.feature(types.CLIENT_REGISTER_CAPABILITY)(lambda params: None)

    def _publish(self) -> Callable[[Any], None]:
        def publish(params: Any) -> None:
            self.published[params.uri] = params

        return publish

    def run(self, answer: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(answer, PATIENCE))

    async def start(self, encodings: list[str] | None, process_id: int) -> Any:
        env = {**os.environ, "PYTHONPATH": on_path()}
        await self.client.start_io(
            sys.executable, str(LAUNCHER), "lsp", "--stdio", env=env, cwd=str(self.folder)
        )
        general = types.GeneralClientCapabilities(position_encodings=encodings)
        made = await self.client.initialize_async(
            types.InitializeParams(
                capabilities=types.ClientCapabilities(general=general),
                process_id=process_id, root_uri=self.folder.as_uri(),
            )
        )  # fmt: skip
        self.client.initialized(types.InitializedParams())
        return made

    @property
    def server(self) -> Any:
        """The process."""
        return self.client._server

    # --- documents -------------------------------------------------------------------------------

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def open(self, name: str, text: str | None = None) -> None:
        """Open *name* with the *text*, that of its file by default."""
        self.texts[name] = (self.folder / name).read_bytes().decode() if text is None else text
        self.versions[name] = self.versions.get(name, 0) + 1
        language = name.rpartition(".")[2]
        item = types.TextDocumentItem(
            self.uri(name), language, self.versions[name], self.texts[name]
        )
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def type(self, name: str, text: str) -> None:
        """The document *name* gets another *text*; nothing is saved."""
        self.versions[name] += 1
        self.texts[name] = text
        document = types.VersionedTextDocumentIdentifier(
            version=self.versions[name], uri=self.uri(name)
        )
        whole = types.TextDocumentContentChangeWholeDocument(text=text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [whole]))

    def close(self, name: str) -> None:
        document = types.TextDocumentIdentifier(self.uri(name))
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(document))

    def at(self, name: str, what: str, place: int = 0) -> dict[str, Any]:
        """The parameters of a request at the first *what* of *name*, *place* characters after it."""
        return {
            "text_document": types.TextDocumentIdentifier(self.uri(name)),
            "position": position(self.texts[name], self.texts[name].index(what) + place),
        }

    # --- answers ---------------------------------------------------------------------------------

    def problems(self, name: str, until: Callable[[list[str]], bool] | None = None) -> list[str]:
        """``text that is marked: message`` of each problem of the present version of *name*, once
        *until* is true of them.
        """

        async def wait() -> list[str]:
            while True:
                params = self.published.get(self.uri(name))
                if params is not None and params.version == self.versions[name]:
                    found = [
                        f"{self.marked(name, one.range)}: {one.message}"
                        for one in params.diagnostics
                    ]
                    if until is None or until(found):
                        return found
                await asyncio.sleep(0.01)

        found: list[str] = self.run(wait())
        return found

    def marked(self, name: str, span: Any) -> str:
        text = self.texts[name]
        return text[offset(text, span.start) : offset(text, span.end)]

    def complete(self, name: str, text: str) -> dict[str, Any]:
        """Label -> the item, for a *text* of *name* in which ``|`` is the cursor."""
        cursor = text.index("|")
        self.type(name, text.replace("|", "", 1))
        found = self.run(
            self.client.text_document_completion_async(
                types.CompletionParams(
                    types.TextDocumentIdentifier(self.uri(name)), position(self.texts[name], cursor)
                )
            )
        )
        return {one.label: one for one in found.items} if found else {}

    def accept(self, name: str, item: Any) -> str:
        """The text of *name* with the completion *item*."""
        return self.edited(name, item.text_edit)

    def edited(self, name: str, edit: Any) -> str:
        text = self.texts[name]
        new: str = edit.new_text
        return text[: offset(text, edit.range.start)] + new + text[offset(text, edit.range.end) :]

    def hover(self, name: str, what: str, place: int = 0) -> str:
        """The Markdown that is shown at *what*; empty if there is none."""
        found = self.run(
            self.client.text_document_hover_async(types.HoverParams(**self.at(name, what, place)))
        )
        return str(found.contents.value) if found else ""

    def definition(self, name: str, what: str, place: int = 0) -> tuple[str, int, int] | None:
        """Name of the file, line from 1 and column at which *what* is defined."""
        params = types.DefinitionParams(**self.at(name, what, place))
        found = self.run(self.client.text_document_definition_async(params))
        if found is None:
            return None
        return (
            Path(found.uri.removeprefix("file://")).name,
            found.range.start.line + 1,
            found.range.start.character,
        )

    def fixes(self, name: str, what: str) -> dict[str, str]:
        """Title -> the text after it, of each quick fix at *what*."""
        start = self.at(name, what)["position"]
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(self.uri(name)), types.Range(start, start),
            types.CodeActionContext(diagnostics=[]),
        )  # fmt: skip
        found = self.run(self.client.text_document_code_action_async(params))
        return {one.title: self.edited(name, one.edit.changes[self.uri(name)][0]) for one in found}


def position(text: str, offset: int) -> Any:
    """Line and column, in UTF-16 units, of *offset*."""
    lines = text[:offset].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return types.Position(len(lines) - 1, len(lines[-1].encode("utf-16-le")) // 2)


def offset(text: str, place: Any) -> int:
    """The offset of a place of the protocol."""
    found = 0
    for _ in range(place.line):
        ends = [end for end in (text.find("\n", found), text.find("\r", found)) if end >= 0]
        found = min(ends) + (2 if text.startswith("\r\n", min(ends)) else 1)
    units = 0
    while units < place.character:
        units += 2 if ord(text[found]) > 0xFFFF else 1
        found += 1
    return found


@contextmanager
def editor(folder: Path, encodings: list[str] | None = None) -> Iterator[Editor]:
    """An Editor whose server ends with it."""
    made = Editor(folder)
    try:
        made.run(made.start(encodings, os.getpid()))
        yield made
        made.run(made.client.shutdown_async(None))
        made.client.exit(None)
        assert made.run(made.server.wait()) == 0
        assert made.messages == []
    finally:
        if made.server is not None and made.server.returncode is None:
            made.server.kill()
        made.run(made.client.stop())
        made.loop.close()
