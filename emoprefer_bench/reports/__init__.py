"""The report of a run, and every form of it; all but `document` are functions of the document alone."""
