//! The weights of a model: named, seeded, freezable, loadable with a report.
