"""The benchmark as an installed package has it: `pytest --pyargs emoprefer_bench.benchmark -k demo` runs anywhere."""
