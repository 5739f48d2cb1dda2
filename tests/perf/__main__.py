"""`python tests/perf`: what the harness costs, measured here and now, each beside what it is compared with in one run."""

from __future__ import annotations

import collection

if __name__ == "__main__":
    collection.main()
