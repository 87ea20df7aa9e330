"""From events or tables to templates: observables, regions, the fill, cells, systematics and what is kept on disk."""
