"""Reads ROOT ntuples and fluxes as `Events` in canonical columns, and writes trees."""
