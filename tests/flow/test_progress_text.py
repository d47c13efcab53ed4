"""What is read as progress, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.flow.log_watch import read_progress


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        pytest.param("12/100", 0.12, id="fraction"),
        pytest.param("[12/100] loss 0.3", 0.12, id="in brackets"),
        pytest.param("step 12 / 100", 0.12, id="with blanks"),
        pytest.param("12 of 100 files", 0.12, id="in words"),
        pytest.param("epoch 3/10", 0.3, id="epochs"),
        pytest.param("Epoch [3/10], Step [50/100], Loss: 0.1", 0.25, id="a step of an epoch"),
        pytest.param(
            "Epoch 3/10:  45%|####5     | 45/100 [00:12<00:15,  3.6it/s]",
            0.245,
            id="tqdm in an epoch",
        ),
        pytest.param("epoch 0/10 batch 1/2", 0.05, id="epochs from 0"),
        pytest.param("45%", 0.45, id="percent"),
        pytest.param(" 45% done", 0.45, id="percent at the start"),
        pytest.param("[ 45%] Building", 0.45, id="cmake"),
        pytest.param("downloading, 45.5% complete", 0.455, id="percent and a word"),
        pytest.param("Progress: 45%", 0.45, id="a word and percent"),
        pytest.param(" 45%|████▌     | 45/100 [00:12<00:15,  3.60it/s]", 0.45, id="tqdm"),
        pytest.param("train:  45%|####5     | 45/100 [00:12<00:15]", 0.45, id="tqdm with a word"),
        pytest.param("12/100 [==>.......] - ETA: 1s - loss: 0.1", 0.12, id="Keras 2"),
        pytest.param("12/100 ━━━━━━━━━━━━━━━━━━━━ 1s 3ms/step - loss: 0.1", 0.12, id="Keras 3"),
        pytest.param("Working... ━━━━━╸━━━━━━━━━ 45% 0:00:12", 0.45, id="rich"),
        pytest.param(
            "Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.3", 640 / 60000, id="PyTorch's example"
        ),
        pytest.param("100%", 1.0, id="done"),
    ],
)
def test_reads(line: str, progress: float) -> None:
    assert read_progress(line) == pytest.approx(progress)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="nothing"),
        pytest.param("accuracy: 93%", id="a share"),
        pytest.param("Test set: Accuracy: 97.5% of all", id="a share of something"),
        pytest.param(
            "Test set: Average loss: 0.05, Accuracy: 9800/10000 (98%)", id="PyTorch's examples"
        ),
        pytest.param("correct = 93/100", id="a share in other words"),
        pytest.param("GPU at 45 % load", id="load"),
        pytest.param("2024/01/02 started", id="date"),
        pytest.param("reading data/12/100.txt", id="path"),
        pytest.param("24/7", id="more than the whole"),
        pytest.param("1/1", id="one of one"),
        pytest.param("3/0", id="nothing to do"),
        pytest.param("12/100ms", id="unit"),
        pytest.param("v1.2/3.4", id="version"),
        pytest.param("450%", id="more than all"),
        pytest.param("100 samples", id="number"),
        pytest.param("x" * 1000 + " 12/100", id="long line"),
    ],
)
def test_leaves_alone(line: str) -> None:
    assert read_progress(line) is None


@given(st.text(alphabet="epoch 0123456789/%[]().|:=of\t-", max_size=60))
def test_is_between_0_and_1(line: str) -> None:
    progress = read_progress(line)
    assert progress is None or 0 <= progress <= 1
