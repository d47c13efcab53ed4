"""The extension for VS Code: its manifest, and what it starts; VS Code itself is a stand-in."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "editors" / "vscode"
STAND_IN = """
const Module = require("module");
const fs = require("fs");
const manifest = JSON.parse(fs.readFileSync(process.argv[1] + "/package.json"));
const seen = [];
const vscode = {
  workspace: {
    getConfiguration: () => ({ get: () => ["${workspaceFolder}/bin/kogine", "lsp"] }),
    workspaceFolders: [{ uri: { fsPath: "/project" } }],
    createFileSystemWatcher: (files) => files,
    onDidChangeConfiguration: () => ({}),
  },
  window: { showErrorMessage: (text) => seen.push(text) },
  commands: { registerCommand: (name) => seen.push(name) },
};
class LanguageClient {
  constructor(id, name, server, options) { seen.push(server, options.documentSelector.map((one) => one.language)); }
  async start() { throw process.argv[2] ? "no such file" : new Error("no such file"); }
  needsStop() { return true; }
  async stop() { seen.push("stopped"); }
}
const load = Module._load;
Module._load = (name, ...rest) =>
  name === "vscode" ? vscode : name === "vscode-languageclient/node" ? { LanguageClient } : load(name, ...rest);
const extension = require(process.argv[1] + "/" + manifest.main);
extension.activate({ subscriptions: [] }).then(() => extension.deactivate()).then(() => console.log(JSON.stringify(seen)));
"""


def test_the_manifest() -> None:
    manifest = json.loads((FOLDER / "package.json").read_text())
    setting = manifest["contributes"]["configuration"]["properties"]["kogine.command"]
    assert setting["default"] == ["kogine", "lsp"]
    # A folder that somebody has downloaded cannot name the program that is started.
    assert setting["scope"] == "machine-overridable"
    assert manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] == [
        "kogine.command"
    ]
    assert "onLanguage:yaml" in manifest["activationEvents"]
    # The keys and values of YAML are strings to VS Code, in which it completes nothing by itself.
    yaml = manifest["contributes"]["configurationDefaults"]["[yaml]"]
    assert yaml["editor.quickSuggestions"]["strings"] is True


@pytest.mark.skipif(shutil.which("node") is None, reason="it needs Node.js")
@pytest.mark.parametrize("text", ["", "text"], ids=["an error", "a text"])
def test_it_starts_the_server_and_says_how_to_install_it(text: str) -> None:
    done = subprocess.run(
        ["node", "-e", STAND_IN, str(FOLDER), text], capture_output=True, text=True, check=True
    )
    command, server, languages, message, end = json.loads(done.stdout)
    assert command == "kogine.restart"
    assert server == {"command": "/project/bin/kogine", "args": ["lsp"]}
    assert languages == ["python", "yaml", "toml", "json", "jsonc"]
    assert message == (
        'kogine lsp does not start: pip install "kohaku-ast[lsp]", or set kogine.command (no such file)'
    )
    assert end == "stopped"
