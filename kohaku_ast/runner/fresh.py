"""What a fresh interpreter starts with: ``python fresh.py FOLDER-OF-PACKAGES run JOB RESULT``."""

import sys

if sys.argv[1] not in sys.path:
    sys.path.insert(1, sys.argv[1])
from kohaku_ast.runner.fresh_start import main

main(sys._getframe())
