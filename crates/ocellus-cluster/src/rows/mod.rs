mod row_source;
mod row_store;

pub use row_source::RowSource;
pub use row_store::RowStore;
