"""`segue data explore`: a page that shows a dataset, and what it measures for it."""
