"""From events or tables to templates: observables, regions, the fill, cells, systematics and the files on disk."""
