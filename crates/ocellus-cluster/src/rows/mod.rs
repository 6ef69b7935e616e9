mod block;
mod positioned;
mod row_file;
mod row_source;
mod row_store;

pub(crate) use block::read_block;
pub use row_file::RowFile;
pub use row_source::RowSource;
pub use row_store::RowStore;
