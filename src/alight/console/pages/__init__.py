"""One file for each page: its routes, what it reads, what its buttons call."""
