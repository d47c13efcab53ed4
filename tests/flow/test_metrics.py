"""Which lines give metrics, and which do not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.flow.log_watch import metrics_text
from kohaku_ast.store.metrics import Number, read_metrics


@pytest.mark.parametrize(
    ("line", "metrics"),
    [
        pytest.param("loss: 0.12", {"loss": 0.12}, id="name and number"),
        pytest.param("loss=0.12", {"loss": 0.12}, id="equals"),
        pytest.param("  loss  =  -1.5e-3 ", {"loss": -0.0015}, id="blanks"),
        pytest.param("loss : 1", {"loss": 1}, id="blank before the colon"),
        pytest.param("val loss: .5", {"val loss": 0.5}, id="two words"),
        pytest.param("Test top-1 accuracy: 93.5%", {"Test top-1 accuracy": 93.5}, id="percent"),
        pytest.param("val/loss@5: 3", {"val/loss@5": 3}, id="other characters"),
        pytest.param("精度: 0.9", {"精度": 0.9}, id="letters of any script"),
        pytest.param("epoch=3 loss=0.12 acc=0.9", {"epoch": 3, "loss": 0.12, "acc": 0.9}, id="several"),
        pytest.param("loss: 0.1, acc: 0.9", {"loss": 0.1, "acc": 0.9}, id="commas"),
        pytest.param("loss: 0.1 | acc: 0.9", {"loss": 0.1, "acc": 0.9}, id="bars"),
        pytest.param("Epoch 3 | train loss: 0.1", {"Epoch": 3, "train loss": 0.1}, id="a counter before"),
        pytest.param("epoch 3/10: loss=0.1", {"epoch": 3, "loss": 0.1}, id="a counter of some"),
        pytest.param("[12/100] loss: 0.1", {"loss": 0.1}, id="a fraction before"),
        pytest.param(
            "Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.3",
            {"Train Epoch": 1, "Loss": 2.3}, id="PyTorch's examples",
        ),
        pytest.param(
            "100/100 ━━━━━━━━━━━━━━━━━━━━ 1s 3ms/step - accuracy: 0.9 - loss: 0.1",
            {"accuracy": 0.9, "loss": 0.1}, id="Keras 3",
        ),
        pytest.param(
            "12/100 [==>.......] - ETA: 1s - loss: 0.1", {"loss": 0.1}, id="Keras 2"
        ),
        pytest.param(
            " 45%|####5     | 45/100 [00:12<00:15,  3.60it/s, loss=0.12, lr=1e-5]",
            {"loss": 0.12, "lr": 1e-5}, id="tqdm's postfix",
        ),
        pytest.param("{'loss': 0.5, 'epoch': 1.0}", {"loss": 0.5, "epoch": 1.0}, id="a dict"),
        pytest.param('{"loss": 0.5, "step": 3}', {"loss": 0.5, "step": 3}, id="JSON"),
        pytest.param("loss: nan", {"loss": math.nan}, id="nan"),
        pytest.param("loss: -inf", {"loss": -math.inf}, id="infinite"),
        pytest.param("MeanSquaredError: 0.1", {"MeanSquaredError": 0.1}, id="an error that is a metric"),
    ],
)  # fmt: skip
def test_reads(line: str, metrics: dict[str, Number]) -> None:
    found = read_metrics(line)
    assert repr(found) == repr(metrics)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="nothing"),
        pytest.param("epoch 3 loss 0.12", id="no sign between"),
        pytest.param("epoch 3/10", id="a counter alone"),
        pytest.param("the loss is: 0.12 today", id="a sentence"),
        pytest.param("a b c d: 1", id="four words"),
        pytest.param("12:30:01", id="time"),
        pytest.param("started: 12:30", id="a name and a time"),
        pytest.param("2024-01-02: 3", id="date"),
        pytest.param("localhost:8080", id="port"),
        pytest.param("train.py:12: warning", id="place"),
        pytest.param("http://x/?a=1", id="address"),
        pytest.param("time: 12ms", id="unit"),
        pytest.param("size: 1,000", id="thousands"),
        pytest.param("version: 1.2.3", id="version"),
        pytest.param("hash: 0x12", id="hexadecimal"),
        pytest.param("loss: 0.1 (best", id="words behind the number"),
        pytest.param("x = [1, 2]", id="list"),
        pytest.param("name: adam", id="text"),
        pytest.param("flag: True", id="truth value"),
        pytest.param("{'a': 1, 'b': 'x'}", id="dict with text"),
        pytest.param("{'a': {'b': 1}}", id="nested dict"),
        pytest.param("{'a': 1", id="cut dict"),
        pytest.param("45%|####  | 45/100 [00:12<00:15, 3.6it/s]", id="tqdm without postfix"),
        pytest.param("KeyError: 3", id="the end of a traceback"),
        pytest.param("StopIteration: 3", id="an exception that is called no error"),
        pytest.param("torch.cuda.OutOfMemoryError: 3", id="an error of a library"),
        pytest.param("loss: 0.1" + " " * 400, id="long line"),
    ],
)
def test_leaves_alone(line: str) -> None:
    assert read_metrics(line) == {}


_NAMES = st.from_regex(r"[a-z_][a-z0-9_./-]{0,10}", fullmatch=True)
_NUMBERS = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False)


@given(
    st.dictionaries(_NAMES, _NUMBERS, min_size=1, max_size=5),
    st.sampled_from(["{}={}", "{}: {}"]),
    st.sampled_from([" ", ", ", " | ", "\t", " - "]),
)
def test_what_is_written_is_read(metrics: dict[str, Number], pair: str, between: str) -> None:
    line = between.join(pair.format(name, number) for name, number in metrics.items())
    assert repr(read_metrics(line)) == repr(metrics)


@given(st.text(alphabet="ab:= .,|-0123456789e%{}'\"[]/", max_size=300))
def test_any_line_can_be_read(line: str) -> None:
    for name, number in read_metrics(line).items():
        assert name
        assert type(number) in (int, float)


def test_metrics_are_shown_short() -> None:
    assert (
        metrics_text({"loss": 0.123456789, "step": 12, "n": 10**12})
        == "loss=0.12346 step=12 n=1e+12"
    )
