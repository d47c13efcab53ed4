"""The language server of ``kogine lsp``: what an editor asks for is answered from the texts that it
has open, saved or not. Neither a script nor a config is run. Needs pygls, the extra ``lsp``.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import Callable
from typing import Any

from kohaku_ast.errors import UsageError
from kohaku_ast.files import read_input
from kohaku_ast.lsp.config_answers import Place, definition, hover
from kohaku_ast.lsp.config_completion import Suggestion, suggestions
from kohaku_ast.lsp.config_problems import OpenConfig, Problem
from kohaku_ast.lsp.document_text import DocumentText, Position, Span, format_of
from kohaku_ast.lsp.known_scripts import KnownScripts
from kohaku_ast.version import VERSION

try:
    from lsprotocol import types
    from pygls import uris
    from pygls.lsp.server import LanguageServer
except ImportError as error:
    raise UsageError('kogine lsp needs pygls: pip install "kohaku-ast[lsp]"') from error

_DELAY = 0.15
"""Seconds without a key press after which a config is checked."""
_PARENT_EVERY = 2.0
"""Seconds between two looks at whether the editor is still there."""
_KINDS = {
    "target": types.CompletionItemKind.Property,
    "table": types.CompletionItemKind.Class,
    "value": types.CompletionItemKind.EnumMember,
    "reserved": types.CompletionItemKind.Keyword,
    "file": types.CompletionItemKind.File,
}
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
}
_WATCHED = "**/*.{py,ipynb,toml,yaml,yml,json}"


def start_server() -> int:
    """Answer the editor at the other end of standard input and output, until it ends."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints would be read as an answer
    ConfigServer().server.start_io(sys.stdin.buffer, output)
    return 0


class ConfigServer:
    """Answers for the configs that are open."""

    def __init__(self) -> None:
        full = types.TextDocumentSyncKind.Full
        self.server = LanguageServer("kogine", VERSION, text_document_sync_kind=full)
        self.scripts = KnownScripts(self.open_text)
        #: Path -> the URI of the open document.
        self.open: dict[str, str] = {}
        #: URI -> the present version of the config.
        self.configs: dict[str, OpenConfig] = {}
        self.waiting: asyncio.TimerHandle | None = None
        self._add_features()

    def _add_features(self) -> None:
        starts = types.CompletionOptions(trigger_characters=[".", '"', "'", "-", "["])
        kinds = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
        answers: dict[str, tuple[Callable[..., object], object]] = {
            types.INITIALIZED: (self.initialized, None),
            types.TEXT_DOCUMENT_DID_OPEN: (self.opened, None),
            types.TEXT_DOCUMENT_DID_CHANGE: (self.changed, None),
            types.TEXT_DOCUMENT_DID_SAVE: (self.changed, None),
            types.TEXT_DOCUMENT_DID_CLOSE: (self.closed, None),
            types.WORKSPACE_DID_CHANGE_WATCHED_FILES: (self.files_changed, None),
            types.TEXT_DOCUMENT_COMPLETION: (self.complete, starts),
            types.TEXT_DOCUMENT_HOVER: (self.hover, None),
            types.TEXT_DOCUMENT_DEFINITION: (self.define, None),
            types.TEXT_DOCUMENT_CODE_ACTION: (self.act, kinds),
        }
        for method, (answer, options) in answers.items():
            # pygls writes attributes to what it gets, which a method does not allow.
            self.server.feature(method, options)(functools.partial(answer))

    # --- documents -------------------------------------------------------------------------------

    def open_text(self, path: str) -> str | None:
        """The text of the file at *path* if it is open."""
        uri = self.open.get(_same(path))
        return None if uri is None else self._source(uri)

    def _source(self, uri: str) -> str:
        source: str = self.server.workspace.get_text_document(uri).source
        return source

    def text(self, text: str) -> DocumentText:
        """*text* with positions as the client counts them."""
        encoding = self.server.workspace.position_encoding
        return DocumentText(text, str(getattr(encoding, "value", encoding)))

    def config(self, uri: str) -> OpenConfig | None:
        """The config at *uri*; None if it is no file, or none that can be a config."""
        path = uris.to_fs_path(uri)
        if not path or not format_of(path) or _same(path) not in self.open:
            return None
        text = self._source(uri)
        known = self.configs.get(uri)
        if known is None or known.text != text:
            known = self.configs[uri] = OpenConfig(path, text, self.scripts)
        else:
            known.find_script()
        return known

    def opened(self, params: types.DidOpenTextDocumentParams) -> None:
        """A document is open."""
        uri = params.text_document.uri
        if path := uris.to_fs_path(uri):
            self.open[_same(path)] = uri
        self.check_soon()

    def changed(self, params: Any) -> None:
        """A document, the config or its script, has another text."""
        self.check_soon()

    def closed(self, params: types.DidCloseTextDocumentParams) -> None:
        """A document is closed: its file counts again."""
        uri = params.text_document.uri
        self.open = {path: one for path, one in self.open.items() if one != uri}
        if self.configs.pop(uri, None):
            self.publish(uri, [])
        self.check_soon()

    def files_changed(self, params: types.DidChangeWatchedFilesParams) -> None:
        """Files of the project have changed."""
        self.scripts.forget()
        self.check_soon()

    def initialized(self, params: types.InitializedParams) -> None:
        """The editor is ready: have it report changed files, and end when it ends."""
        workspace = self.server.client_capabilities.workspace
        watching = workspace.did_change_watched_files if workspace else None
        if watching and watching.dynamic_registration:
            watcher = types.FileSystemWatcher(glob_pattern=_WATCHED)
            options = types.DidChangeWatchedFilesRegistrationOptions(watchers=[watcher])
            method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
            wanted = types.Registration(id="files", method=method, register_options=options)
            self.server.client_register_capability(types.RegistrationParams([wanted]))
        if self.server.process_id and os.name == "posix":
            asyncio.get_running_loop().call_later(_PARENT_EVERY, self.end_with_parent)

    def end_with_parent(self) -> None:
        """End this process if the editor has ended without a word."""
        try:
            os.kill(self.server.process_id or 0, 0)
        except ProcessLookupError:
            os._exit(1)  # a thread waits for input that never comes
        except PermissionError:
            return  # another user's: it cannot be watched
        asyncio.get_running_loop().call_later(_PARENT_EVERY, self.end_with_parent)

    # --- what is wrong ---------------------------------------------------------------------------

    def check_soon(self) -> None:
        """Check the open configs once no key has been pressed for a moment."""
        if self.waiting is not None:
            self.waiting.cancel()
        self.waiting = asyncio.get_running_loop().call_later(_DELAY, self.check)

    def check(self) -> None:
        """Send the problems of each open config."""
        for uri in list(self.open.values()):
            known = uri in self.configs
            config = self.config(uri)
            if config is not None and (known or config.script is not None):
                self.publish(uri, config.problems(), config)

    def publish(self, uri: str, problems: list[Problem], config: OpenConfig | None = None) -> None:
        """Send the *problems* of the document at *uri*."""
        text = self.text(config.text if config else "")
        found = [self.diagnostic(one, text) for one in problems]
        version = self.server.workspace.get_text_document(uri).version if config else None
        params = types.PublishDiagnosticsParams(uri=uri, diagnostics=found, version=version)
        self.server.text_document_publish_diagnostics(params)

    def diagnostic(self, one: Problem, text: DocumentText) -> types.Diagnostic:
        """*one* as the protocol has it; of several lines it marks the first."""
        end = text.text.find("\n", one.span.start, one.span.end)
        span = Span(one.span.start, one.span.end if end < 0 else end)
        return types.Diagnostic(
            range=_range(text, span), message=one.message, severity=_SEVERITIES[one.severity],
            source="kogine",
        )  # fmt: skip

    # --- requests --------------------------------------------------------------------------------

    async def _config_at(self, params: Any) -> tuple[OpenConfig, DocumentText, int] | None:
        """The config of a request, and the offset of its position."""
        await asyncio.sleep(0)  # a request that is cancelled meanwhile is not answered
        config = self.config(params.text_document.uri)
        if config is None:
            return None
        text = self.text(config.text)
        place = Position(params.position.line, params.position.character)
        return config, text, text.offset(place)

    async def complete(self, params: types.CompletionParams) -> types.CompletionList | None:
        """What can be typed at the cursor."""
        found = await self._config_at(params)
        if found is None:
            return None
        config, text, offset = found
        items = [_completion(one, text) for one in suggestions(config, offset)]
        # With more letters there may be others: targets that are no settings.
        return types.CompletionList(is_incomplete=True, items=items)

    async def hover(self, params: types.HoverParams) -> types.Hover | None:
        """What is known about the parameter at the cursor."""
        found = await self._config_at(params)
        told = hover(found[0], found[2]) if found else None
        if found is None or told is None:
            return None
        content = types.MarkupContent(kind=types.MarkupKind.Markdown, value=told[1])
        return types.Hover(contents=content, range=_range(found[1], told[0]))

    async def define(self, params: types.DefinitionParams) -> types.Location | None:
        """Where the parameter at the cursor is defined."""
        found = await self._config_at(params)
        place = definition(found[0], found[2]) if found else None
        if place is None:
            return None
        uri = uris.from_fs_path(place.path) or ""
        return types.Location(uri=uri, range=self.range_of(place))

    def range_of(self, place: Place) -> types.Range:
        """The range of *place* in its file."""
        try:
            source = self.open_text(place.path)
            data = read_input(place.path) if source is None and place.line else b""
        except OSError:
            data = b""  # it is gone: the editor says so
        text = self.text(source if source is not None else data.decode("utf-8-sig", "replace"))
        return _range(text, place.span(text.text, text.source.line_starts))

    async def act(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """For each problem in a range, what may be meant."""
        await asyncio.sleep(0)
        config = self.config(params.text_document.uri)
        if config is None:
            return []
        text = self.text(config.text)
        start, end = (
            text.offset(Position(one.line, one.character))
            for one in (params.range.start, params.range.end)
        )
        problems = [one for one in config.problems() if one.span.start <= end]
        return [
            self.action(params.text_document.uri, one, instead, text)
            for one in problems
            if start <= one.span.end
            for instead in one.instead
        ]

    def action(
        self, uri: str, problem: Problem, instead: str, text: DocumentText
    ) -> types.CodeAction:
        """Write *instead* in the place of *problem*."""
        edit = types.TextEdit(range=_range(text, problem.span), new_text=instead)
        return types.CodeAction(
            title=f"Change to {instead}", kind=types.CodeActionKind.QuickFix,
            diagnostics=[self.diagnostic(problem, text)],
            edit=types.WorkspaceEdit(changes={uri: [edit]}),
            is_preferred=problem.instead[0] == instead,
        )  # fmt: skip


def _same(path: str) -> str:
    """*path* in the form in which paths are compared."""
    return os.path.normcase(os.path.realpath(path))


def _range(text: DocumentText, span: Span) -> types.Range:
    ends = [types.Position(*text.position(offset)) for offset in span]
    return types.Range(start=ends[0], end=ends[1])


def _completion(one: Suggestion, text: DocumentText) -> types.CompletionItem:
    return types.CompletionItem(
        label=one.label, kind=_KINDS[one.kind], detail=one.detail or None,
        documentation=one.help or None, sort_text=f"{one.rank:06}", filter_text=one.filter,
        text_edit=types.TextEdit(range=_range(text, one.span), new_text=one.text),
    )  # fmt: skip
