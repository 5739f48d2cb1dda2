"""The console command `emoprefer-bench`."""
