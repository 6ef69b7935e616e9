mod build;
mod machine;
mod reader;
mod state_dict;
mod value;

pub(crate) use machine::{Fault, Pickle, run};
pub(crate) use state_dict::state_dict;
pub(crate) use value::{TensorRef, Value};
