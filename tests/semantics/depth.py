"""Scripts that nest deeper than Python's own functions may."""

from tests.semantics.case import case

ELIFS = "".join(f"elif n == {i}: m = {i}\n" for i in range(2, 900))

CASES = [
    case("a sum of 900 terms", "n = 1\nx = " + "+".join(["1"] * 900) + "\nprint(n, x)\n", "n=3", ("n = 1", "n = 3")),
    case("a chain of 400 calls", "n = 1\nclass A:\n    def f(self): return self\nx = A()" + ".f()" * 400 + "\nprint(n)\n", "n=3",
         ("n = 1", "n = 3")),
    case("an if of 900 arms", f"n = 1\nif n == 0: m = 0\n{ELIFS}else: m = -1\nprint(n, m)\n", "n=3", ("n = 1\n", "n = 3\n")),
]
