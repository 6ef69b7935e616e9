//! Optimizers, schedules and a training loop that resumes bit for bit.
