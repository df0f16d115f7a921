"""The report of a matrix: the same tables as Markdown, LaTeX, CSV and one page, and two figures. Names and texts are hostile."""
