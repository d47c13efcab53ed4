"""Tables of trials: the Config of a row, and errors with the place in the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import ConfigError


def table(folder: Path, name: str, text: str | bytes) -> Sweep:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Sweep.from_table(str(path))


ROWS = [{"lr": "0.1", "--bs": "16"}, {"lr": "0.2", "--bs": "32"}]
ACCEPTED = [
    pytest.param("t.csv", "lr,--bs\n0.1,16\n0.2,32\n", (2, 3), id="csv"),
    pytest.param("t.csv", b"\xef\xbb\xbflr,--bs\r\n0.1,16\r\n0.2,32", (2, 3), id="csv of Excel"),
    pytest.param("t.csv", "\n lr , --bs\n\n0.1, 16\n,\n0.2 ,32\n", (4, 6), id="csv with blanks"),
    pytest.param("T.CSV", 'lr,"--bs"\n"0.1",16\n0.2,32\n', (2, 3), id="csv with quotes"),
    pytest.param("t.yaml", "- {lr: 0.1, --bs: 16}\n- --bs: 32\n  lr: 0.2\n", (1, 2), id="yaml"),
    pytest.param("t.yml", "- lr: 0.1\n  --bs: 16\n- {lr: 0.2, --bs: 32}", (1, 3), id="yml"),
]


@pytest.mark.parametrize(("name", "text", "lines"), ACCEPTED)
def test_rows_become_configs(
    tmp_path: Path, name: str, text: str | bytes, lines: tuple[int, int]
) -> None:
    sweep = table(tmp_path, name, text)
    assert [config.globals_dict for config in sweep] == ROWS
    places = [config.origins["lr"] for config in sweep]
    assert places == [f"{tmp_path / name}:{line}" for line in lines]
    assert (sweep.size, sweep.targets) == (2, ("lr", "--bs"))


def test_rows_of_json_are_counted(tmp_path: Path) -> None:
    sweep = table(tmp_path, "t.json", '[{"lr": 0.1, "--bs": 16}, {"lr": 0.2, "--bs": 32}]')
    assert [config.globals_dict for config in sweep] == ROWS
    assert [c.origins["lr"].rpartition("/")[2] for c in sweep] == ["t.json: row 1", "t.json: row 2"]


def test_table_of_one_column(tmp_path: Path) -> None:
    sweep = table(tmp_path, "t.csv", "lr\n0.1\n0.2\n")
    assert [config.label for config in sweep] == ["lr=0.1", "lr=0.2"]


def test_cell_of_several_lines_keeps_the_lines_of_others(tmp_path: Path) -> None:
    sweep = table(tmp_path, "t.csv", 'a,b\n"x\ny",1\nz,2\n')
    assert [c.origins["a"].rpartition(":")[2] for c in sweep] == ["2", "4"]


def test_nested_cells_stay_together(tmp_path: Path) -> None:
    sweep = table(tmp_path, "t.json", '[{"x": [1, {"y": "z"}]}]')
    assert [config.globals_dict for config in sweep] == [{"x": ["1", {"y": "z"}]}]


def test_fixed_column_leaves_the_others(tmp_path: Path) -> None:
    sweep = table(tmp_path, "t.csv", "lr,bs\n0.1,16\n0.2,32\n") | Config({"bs": 64})
    assert [config.globals_dict for config in sweep] == [
        {"lr": "0.1", "bs": 64},
        {"lr": "0.2", "bs": 64},
    ]
    assert [config.label for config in sweep] == ["lr=0.1", "lr=0.2"]


REFUSED = [
    pytest.param("t.csv", "", "t.csv:1: the table is empty", id="empty file"),
    pytest.param("t.csv", "\n \n", "t.csv:1: the table is empty", id="blank file"),
    pytest.param("t.csv", "lr,bs\n", "t.csv: there is no row", id="header alone"),
    pytest.param("t.csv", "lr,,bs\n1,2,3\n", "t.csv:1: column 2", id="empty name"),
    pytest.param("t.csv", "lr,bs,lr\n1,2,3\n", "t.csv:1: two columns are called 'lr'", id="twice"),
    pytest.param(
        "t.csv", "lr;bs\n1;2\n", "t.csv:1: columns are separated by commas", id="semicolons"
    ),
    pytest.param(
        "t.csv", "lr,bs\n1,2\n\n3\n", "t.csv:4: 1 cells, and the header names 2", id="few"
    ),
    pytest.param("t.csv", "lr,bs\n1,2,3\n", "t.csv:2: 3 cells", id="many"),
    pytest.param(
        "t.csv", "lr,bs\n1,2\n3,\n", "t.csv:3: the cell of 'bs' is empty: write None", id="gap"
    ),
    pytest.param("t.csv", 'lr,bs\n1,"2\n', "t.csv:2: not CSV", id="open quote"),
    pytest.param("t.csv", b"lr\n\xff\n", "t.csv: not UTF-8", id="bytes"),
    pytest.param("t.yaml", "", "t.yaml: a table of trials is a list", id="empty yaml"),
    pytest.param("t.yaml", "[]", "t.yaml: the list has no rows", id="empty list"),
    pytest.param("t.yaml", "lr: 1\n", "t.yaml: a table of trials is a list", id="mapping"),
    pytest.param("t.yaml", "- lr: 1\n- 2\n", "t.yaml:2: a row is a mapping", id="number as a row"),
    pytest.param("t.yaml", "- {}\n", "t.yaml:1: a row is a mapping", id="row of nothing"),
    pytest.param("t.yaml", "- {a: 1, b: 2}\n- {a: 1}\n", "t.yaml:2: 'b' is missing", id="lost key"),
    pytest.param(
        "t.yaml", "- {a: 1}\n- {a: 1, b: 2}\n", "t.yaml:2: 'b' is not in the first", id="new key"
    ),
    pytest.param("t.json", '[{"a": 1}, {"b": 1}]', "t.json: row 2: 'a' is missing", id="json row"),
    pytest.param("t.json", "[", "t.json:1: not JSON", id="broken json"),
    pytest.param("t.txt", "lr\n1\n", "t.txt: a table of trials is a .csv", id="unknown extension"),
]


@pytest.mark.parametrize(("name", "text", "message"), REFUSED)
def test_bad_table_is_refused(tmp_path: Path, name: str, text: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        table(tmp_path, name, text)
    assert str(caught.value).startswith(f"{tmp_path}/{message}")


def test_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"can't open table .*none.csv.*No such file"):
        Sweep.from_table(str(tmp_path / "none.csv"))
