"""The bounds of loops at module level: ``for epoch in range(5000)`` is the target ``for epoch``."""

from tests.semantics.case import case, refusal

DESCENT = """
    w = 4.0
    for epoch in range(6):
        w -= 0.1 * w
        print(epoch, round(w, 4))
    """
TQDM = "def tqdm(items, **options): return items\ndef trange(*bounds): return range(*bounds)\n"

CASES = [
    case("a numbered range", "for epoch, v in enumerate(range(4)):\n    print(epoch, v)\n", "for epoch=2", ("range(4)", "range(2)")),
    case("a numbered slice", "from itertools import count, islice\nfor epoch, v in enumerate(islice(count(), 4), 1):\n    print(epoch, v)\n", "for epoch=2", (", 4)", ", 2)")),
    case("a zipped range", "for epoch, v in zip(range(4), 'abcdef'):\n    print(epoch, v)\n", "for epoch=2", ("range(4)", "range(2)")),
    case("a zipped range that comes second", "for v, epoch in zip('abcdef', range(4)):\n    print(epoch, v)\n", "for epoch=2", ("range(4)", "range(2)")),
    case("a bar around a numbered range", f"{TQDM}for epoch, v in tqdm(enumerate(range(4)), desc='fit'):\n    print(epoch, v)\n", "for epoch=2", ("range(4)", "range(2)")),
    case("numbered pairs", "for epoch, (a, b) in enumerate(zip(range(4), 'abcdef')):\n    print(epoch, a, b)\n", "for epoch=2", ("range(4)", "range(2)")),
    case("the end of a range", DESCENT, "for epoch=2", ("range(6)", "range(2)")),
    case("no turn at all", DESCENT, "for epoch=0", ("range(6)", "range(0)")),
    case("beside another override", "lr = 0.1\nfor step in range(3):\n    lr = lr / 2\n    print(lr)\n",
         ("for step=2", "lr=8"), ("range(3)", "range(2)"), ("lr = 0.1", "lr = 8.0")),
    case("a range from 1", "for epoch in range(1, 4):\n    print(epoch)\n", "for epoch=3",
         ("range(1, 4)", "range(1, 3)")),
    case("a range with steps", "for epoch in range(0, 9, 3):\n    print(epoch)\n", "for epoch=5",
         ("range(0, 9, 3)", "range(0, 5, 3)")),
    case("a bar around the range", f"{TQDM}for epoch in tqdm(range(4), desc='fit'):\n    print(epoch)\n",
         "for epoch=1", ("range(4)", "range(1)")),
    case("tqdm's own range", f"{TQDM}for epoch in trange(4):\n    print(epoch)\n", "for epoch=1",
         ("trange(4)", "trange(1)")),
    case("a bar with a name", f"{TQDM}bar = tqdm(range(4))\nfor epoch in bar:\n    print(epoch)\n",
         "for epoch=1", ("range(4)", "range(1)")),
    case("a bar bound in the loop", f"{TQDM}for epoch in (bar := tqdm(range(4))):\n    print(epoch, bar)\n",
         "for epoch=1", ("range(4)", "range(1)")),
    case("backwards", "for epoch in reversed(range(4)):\n    print(epoch)\n", "for epoch=2",
         ("range(4)", "range(2)")),
    case("islice of a stream", "from itertools import count, islice\nfor step in islice(count(), 4):\n    print(step)\n",
         "for step=2", ("count(), 4", "count(), 2")),
    case("an expression of numbers", "for step in range(int(1e1) // 2 + 1):\n    print(step)\n", "for step=2",
         ("int(1e1) // 2 + 1", "2")),
    case("in the guard", "if __name__ == '__main__':\n    for epoch in range(3):\n        print(epoch)\n",
         "for epoch=1", ("range(3)", "range(1)")),
    case("in a with block", "import contextlib\nwith contextlib.nullcontext():\n    for epoch in range(3):\n        print(epoch)\n",
         "for epoch=1", ("range(3)", "range(1)")),
    case("with an else", "for epoch in range(3):\n    if epoch == 2:\n        break\nelse:\n    print('all')\nprint(epoch)\n",
         "for epoch=2", ("range(3)", "range(2)")),
    case("in both arms of an if", """
        fast = False
        if fast:
            for epoch in range(2): print("fast", epoch)
        else:
            for epoch in range(5): print("slow", epoch)
        """, "for epoch=1", ("range(2)", "range(1)"), ("range(5)", "range(1)")),
    case("one of two loops of the variable", """
        for epoch in range(2): print("warm up", epoch)
        for epoch in range(5): print("train", epoch)
        """, "for epoch[1]=1", ("range(5)", "range(1)")),
    case("a loop in a loop", "for epoch in range(2):\n    for batch in range(3):\n        print(epoch, batch)\n",
         ("for batch=1", "for epoch=1"), ("range(2)", "range(1)"), ("range(3)", "range(1)")),
    case("a loop that trains nothing", "for i in range(3):\n    print(i)\n", "for i=1", ("range(3)", "range(1)")),
    case("a loop that did not run", "if False:\n    for epoch in range(3): print(epoch)\nprint('x')\n", "for epoch=1",
         ("range(3)", "range(1)"), warned=("for epoch",), same=True),
    case("a text that is a whole number", DESCENT, "for epoch=2e0", ("range(6)", "range(2)")),
]

REFUSALS = [
    refusal("no whole number", DESCENT, "for epoch=0.5", "expected int", "for epoch", ":2"),
    refusal("a word", DESCENT, "for epoch=few", "expected int"),
    refusal("the variable of a loop", DESCENT, "epoch=3",
            "it is a loop variable. The bound of its loop is the target 'for epoch'"),
    refusal("a mistyped variable", DESCENT, "for epochs=3", "Did you mean 'for epoch' (line 2)?"),
    refusal("the plural", DESCENT, "epochs=3", "Did you mean 'for epoch' (line 2)?"),
    refusal("two loops of the variable", "for epoch in range(2): pass\nfor epoch in range(5): pass\n", "for epoch=1",
            "fits several", "for epoch[0]  (loop, line 1)", "for epoch[1]  (loop, line 2)"),
    refusal("a loop over a list", "for name in ['a', 'b']:\n    print(name)\n", "for name=1",
            "the loop has no bound that is a literal number"),
    refusal("a bound that is a setting", "n = 3\nfor epoch in range(n):\n    print(epoch)\n", "for epoch=1",
            "the loop has no bound that is a literal number, such as range(100). It is made from 'n'"),
]
