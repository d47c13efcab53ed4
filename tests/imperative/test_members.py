"""What may be a member, how it is replaced, its settings as a config, and errors in the class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from kohaku_ast import Config, MemoryCache, Pipeline, PipelineError
from tests.imperative.small_classes import Inner, Scale, expected, make, slow


@dataclass
class Add:
    by: float = 1.0

    def __call__(self, x: int) -> float:
        return x + self.by


class Kept:
    def __init__(self, size: int, more: int = 0) -> None:
        self.size, self._more = size, more

    def __call__(self, x: int) -> int:
        return x + self.size + self._more


def ten(x: int) -> int:
    return 10 * x


inner = cast(Any, Inner)()


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({}, 2),
        ({"scale": Add}, 2.0),
        ({"scale": Add(5)}, 6),
        ({"scale": ten}, 10),
        ({"scale": lambda x: x + 6}, 7),
        ({"scale": slow}, 2),
        ({"scale": inner}, 9),
        ({"scale": Inner}, 9),
        ({"scale": {"by": 4}}, 4),
        ({"scale": Scale(4)}, 4),
        ({"scale": "tests.imperative.test_members:ten"}, 10),
        ({"inner": {"scale": {"by": 7}}}, 2),
    ],
)
def test_a_member_can_be_replaced(given: dict[str, Any], first: object) -> None:
    sums = make(**given)
    assert sums.run({"x": 1}, "scale" if "inner" not in given else ["scale"]) in (
        first,
        {"scale": first},
    )
    sums.scale = Add(0.5)
    sums.rounds = 1
    assert sums.part(to_node="scale")(1) == 1.5
    assert isinstance(sums.scale, Add)
    assert make()(1) == expected(1), "the class is as it was"


def test_settings_go_into_a_config_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sums = make(scale=Add(0.5), inner={"scale": {"by": 4}}, rounds=1)
    config = sums.to_config()
    assert isinstance(config, Config)
    assert config.globals_dict == {
        "scale": "tests.imperative.test_members:Add",
        "scale.by": 0.5,
        "inner.scale.by": 4,
        "inner.scale.log": "",
        "rounds": 1,
    }
    again = make.from_config(config, record=False)
    assert (again.settings(), again(1)) == (sums.settings(), sums(1))
    Path("sums.toml").write_text(
        'rounds = 1\nscale = "tests.imperative.test_members:Add"\n[inner.scale]\nby = 5\n'
    )
    read = make.from_config("sums.toml")
    assert (read.rounds, read.inner.scale.by, read.scale) == (1, 5, Add(1.0))
    changed = sums.with_settings({"scale.by": 2.5, "rounds": 3})
    assert (changed.scale.by, changed.rounds, sums.scale.by) == (2.5, 3, 0.5)
    with pytest.raises(PipelineError, match=r"scale=<function .* has no name that a config"):
        make(scale=lambda x: x).to_config()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"scal": 3}, "Sums has no member 'scal'. Did you mean 'scale'?"),
        ({"scale": 3}, "scale=3: a member is a class or an object with __call__, a function"),
        ({"scale": {"bi": 3}}, "scale: Scale has no setting 'bi'. Did you mean 'by'?"),
        ({"inner": {"scale": {"bi": 1}}}, "inner: scale: Scale has no setting 'bi'. Did you mean"),
        ({"inner": {"scal": 1}}, "inner: Inner has no member 'scal'. Did you mean 'scale'?"),
        ({"scale": Kept}, "scale: Kept needs size. Give an object, scale=Kept(...), or a dict"),
        ({"scale": "os:nothing"}, "scale='os:nothing': there is no such class or function"),
        ({"return_all": 1}, "return_all is True or False, got 1"),
    ],
)
def test_what_is_no_member(given: dict[str, Any], text: str) -> None:
    with pytest.raises(PipelineError) as caught:
        make(**given)
    assert text in str(caught.value)


def test_an_argument_that_an_object_does_not_show() -> None:
    sums = make(scale=Kept(3, 4))
    with pytest.raises(PipelineError, match="keeps its argument 'more' under no attribute"):
        sums.with_settings({"scale.size": 1})


def test_classes_that_cannot_be_pipelines() -> None:
    with pytest.raises(PipelineError, match=r"Meta has no option 'nam'. Did you mean 'name'\?"):

        class Wrong(Pipeline):
            scale: Scale

            class Meta:
                nam = "x"

            def __call__(self, x: int) -> int:
                return self.scale(x)

    with pytest.raises(PipelineError, match="every pipeline has an attribute 'run': give the mem"):

        class Taken(Pipeline):
            run: Scale  # type: ignore[assignment]

            def __call__(self, x: int) -> int:
                return x

    with pytest.raises(TypeError, match="__call__ is a plain function: write def, without yield"):

        class Waits(Pipeline):
            scale: Scale

            async def __call__(self, x: int) -> int:
                return self.scale(x)


class Base(Pipeline):
    scale: Scale = Scale(2)
    later: Later
    rate: float

    class Meta:
        name = "base"

    def __call__(self, x: int) -> Any:
        return self.later(self.scale(x)) * self.rate


class Later:
    """Is defined below the class that names it."""

    def __call__(self, x: int) -> int:
        return x + 1


class Sub(Base):
    scale = Scale(5)

    class Meta:
        return_all = True

    def __call__(self, x: int, more: int = 0) -> Any:
        return super().__call__(x + more)


def test_a_subclass_has_other_defaults_and_calls_the_body() -> None:
    base: Any = Base
    sub: Any = Sub
    assert base(rate=2.0)(1) == 6.0
    assert sub(rate=2.0).run(x=1, more=1) == {"scale": 10, "later": 11}
    assert (sub(rate=1.0).name, sub(rate=1.0).inputs, sub.scale.by) == ("base", ("x", "more"), 5)
    with pytest.raises(PipelineError, match="Base needs 'rate', which has no default: give rate="):
        base()


class Talks:
    """Takes what it is given; its ``init`` is none of ours."""

    def __init__(self, name: str = "m") -> None:
        self.name = name

    def init(self, weights: str) -> None:
        raise AssertionError(weights)

    def __call__(self, *texts: str, **options: int) -> tuple[object, ...]:
        return (self.name, *texts, options)


async def listed(*values: int) -> list[int]:
    return [*values]


def test_any_arguments_and_members_that_may_be_missing() -> None:
    class Open(Pipeline):
        talks: Talks = Talks()
        listed: Any = listed
        last: Any = None

        def __call__(self, x: int) -> Any:
            found = self.talks("a", "b", size=x), self.talks("a", "b", size=x), self.listed(x, 2)
            return self.last(found) if self.last else found

    made: Any = Open
    calls = made(cache=MemoryCache())
    assert calls(1) == (("m", "a", "b", {"size": 1}), ("m", "a", "b", {"size": 1}), [1, 2])
    assert [one.state for one in calls.last_calls] == ["succeeded", "cached", "succeeded"]
    calls.last = len
    assert (calls(1), calls.last_calls[-1].name) == (3, "last")
    with pytest.raises(PipelineError, match="node 'Open' has no @process: TOML cannot name it"):
        made().to_toml()


def test_a_dataclass_is_told_what_to_do() -> None:
    @dataclass
    class Data(Pipeline):
        talks: Talks = Talks()  # noqa: RUF009

        def __call__(self, x: str) -> Any:
            return self.talks(x)

    with pytest.raises(PipelineError, match=r"call super\(\)\.__init__\(\) first \(and use no @da"):
        Data(Talks())
