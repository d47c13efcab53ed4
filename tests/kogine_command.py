"""The script that an installer writes for ``kogine``."""

import sys

from kogine.main import main

if __name__ == "__main__":
    sys.exit(main())
