"""``python -m kogine``."""

import os
import sys

if not getattr(sys.flags, "safe_path", sys.flags.isolated):
    # It is the working folder, and an `ast.py` there is for the script, not for us.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from kogine.main import main

if __name__ == "__main__":
    raise SystemExit(main())
