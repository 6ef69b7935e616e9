//! Classification metrics on plain slices: counts, curves, calibration, intervals, tests.
