"""What people look at: one file a view, static HTML first, widgets where a cell can live."""
