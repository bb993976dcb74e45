"""Studies without a notebook: the project, designs, runs, records, comparisons and promotions, as
functions of plain values.
"""
