"""`python tests/perf`: what the harness costs and saves, measured here, each beside what it is compared with."""

from __future__ import annotations

import cluster
import collection
import engines
import fleet
import memory
import preparation
import weighing

CLIPS = 40
DEMO_CLIPS = 20

if __name__ == "__main__":
    collection.main()
    memory.main()
    preparation.main()
    fleet.main()
    cluster.main()
    for kind in ("transformers", "vllm"):
        engines.overhead(kind, CLIPS, 5)
    for kind in ("transformers", "vllm"):
        engines.against_script(kind, CLIPS)
    for kind in ("transformers", "vllm"):
        weighing.main(kind, DEMO_CLIPS, 5)
