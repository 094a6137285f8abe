"""Reading exports: the mapping grammar, the cells, and the report of what became of them."""
