//! Files that training can continue from.

pub(crate) mod exact;
mod folder;
mod read;
mod write;

pub(crate) use folder::Folder;
pub(crate) use read::{Contents, read};
pub(crate) use write::{Checksum, write, write_text};
