"""Two scripts that make a pipeline."""

from __future__ import annotations

from pathlib import Path

from kohaku_ast import Pipeline, script

PREP = """\
size = 4
seed = 0
vocab = ["a", "b"]
train_set = list(range(size))
"""
TRAIN = """\
import os
import sys

lr: float = 0.5
DATA = None
vocab = ()
seed = 1


class Args:
    depth = 2


def main(epochs=3):
    global val_loss
    val_loss = lr * epochs
    return seed


model = {"weights": DATA, "vocab": vocab}
if __name__ == "__main__":
    main()
"""


def write(name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")


def prep_and_train(**options: object) -> Pipeline:
    prep = script("prep.py", outputs="train_set vocab")
    train = script("train.py", outputs="model val_loss", inputs={"DATA": "train_set"})
    return Pipeline([prep, train], **options)  # type: ignore[arg-type]
