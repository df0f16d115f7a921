"""What a run shows at its end: summary.json, a table on the console, report.html."""
