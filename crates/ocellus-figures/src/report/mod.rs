mod document;
mod html;
mod section;
mod table;

pub use document::Report;
pub use section::Section;
pub use table::{Best, Cell, Table};
