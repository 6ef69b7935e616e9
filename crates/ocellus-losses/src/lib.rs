//! Loss functions that take logits and add up to ensembles.
