"""What people look at: one file per view, static HTML first, widgets where a cell can live."""
