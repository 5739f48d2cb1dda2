"""Whether a case passes, fails, or can't be told: limits, baselines, decisions."""
