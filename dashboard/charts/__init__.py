"""Charts: answers in, Plotly figures out. Pure. Plotly reads some HTML, so every name is escaped."""
