//! The networks against PyTorch's, against published counts, and against laws.

mod counts;
mod pytorch;
mod reach;
mod scene;
mod suite;
mod weights;
