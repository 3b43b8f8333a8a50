"""Reading the text of scanned pages and pictures."""
