"""The script that an installer writes for ``kogine``; in tests it may find a builder ready."""

import os
import sys

from kogine.main import main

if "KOGINE_TESTS_BUILDER" in os.environ:
    __import__("builder_client").use_builder_server()  # of this folder, which is the script's

if __name__ == "__main__":
    sys.exit(main())
