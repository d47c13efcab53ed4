from pathlib import Path

import pytest

from kohaku_ast.store.run_folder import last_lines


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"a\nb\nc\n", ["b", "c"], id="the last two"),
        pytest.param(b"a\nb", ["a", "b"], id="no end of line"),
        pytest.param(b"a\r\nb\r\n", ["a", "b"], id="CRLF"),
        pytest.param(b"1%\r50%\r100%\n", ["100%"], id="progress bar"),
        pytest.param(b"x\n1%\r50%\r", ["x", "50%"], id="progress bar under way"),
        pytest.param(b"\xff\n", ["\ufffd"], id="no text"),
        pytest.param(b"a\n\nb\n", ["", "b"], id="an empty line between"),
        pytest.param(b"y" * 10**6, ["y" * 500], id="one endless line"),
        pytest.param(b"z\n" * 10**6, ["z", "z"], id="long log"),
    ],
)
def test_last_lines(tmp_path: Path, data: bytes, expected: list[str]) -> None:
    (tmp_path / "log").write_bytes(data)
    assert last_lines(tmp_path / "log", 2) == expected


def test_no_log_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none") == []
