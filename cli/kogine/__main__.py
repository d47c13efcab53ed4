"""``python -m kogine``."""

from kogine.main import main

if __name__ == "__main__":
    raise SystemExit(main())
