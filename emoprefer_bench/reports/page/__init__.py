"""The HTML page: what it is given (`summary`, `pairs`), and its template, style and scripts as data files."""
