"""Every form of a run's report, each made from the document alone."""
