//! Figures and the HTML report of a run: curves, confusion matrices, overlays.
