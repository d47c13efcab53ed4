// Starts `kogine lsp` for config files and their scripts. It has no build step: plain JavaScript.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

const LANGUAGES = ["python", "yaml", "toml", "json", "jsonc"];
const FILES = "**/*.{py,ipynb,yaml,yml,toml,json}";

let client;

function serverCommand() {
  const [command, ...args] = vscode.workspace.getConfiguration("kogine").get("command");
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? "";
  const filled = (text) => text.replaceAll("${workspaceFolder}", folder);
  return { command: filled(command), args: args.map(filled) };
}

async function start() {
  const documentSelector = LANGUAGES.map((language) => ({ scheme: "file", language }));
  const fileEvents = vscode.workspace.createFileSystemWatcher(FILES);
  const options = { documentSelector, synchronize: { fileEvents } };
  client = new LanguageClient("kogine", "kogine", serverCommand(), options);
  try {
    await client.start();
  } catch (error) {
    const install = 'pip install "kohaku-ast[lsp]"';
    const reason = error?.message ?? error; // the client library also throws texts
    // The way out comes first: VS Code shows 60 characters of a message until it is unfolded.
    vscode.window.showErrorMessage(
      `kogine lsp does not start: ${install}, or set kogine.command (${reason})`
    );
  }
}

async function stop() {
  const running = client;
  client = undefined;
  if (running?.needsStop()) {
    await running.stop();
  }
}

async function restart() {
  await stop();
  await start();
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("kogine.restart", restart),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("kogine.command")) {
        restart();
      }
    })
  );
  await start();
}

module.exports = { activate, deactivate: stop };
