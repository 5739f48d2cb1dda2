"""From verdicts to numbers, and how sure they are."""
