"""``python -m kogine``."""

import os
import sys

if not getattr(sys.flags, "safe_path", sys.flags.isolated):
    # The working folder stands there, and an `ast.py` in it is the script's, not ours.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from kogine.main import main

if __name__ == "__main__":
    raise SystemExit(main())
