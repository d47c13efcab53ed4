"""The first file of a fresh interpreter: ``python fresh.py FOLDER-OF-PACKAGES WHAT ...``."""

import sys

sys.path.insert(1, sys.argv[1])
if sys.argv[2].startswith("run"):
    from kohaku_ast.runner.child import main
else:
    from kohaku_ast.runner.warm_server import main

del sys.path[1]
main(sys._getframe())
