/// Gives a reader of one folder its constructors; the fields beside `root` with their defaults.
macro_rules! folder_reader {
    ($reader:ident $({ $($field:ident: $default:expr),* $(,)? })?) => {
        impl $reader {
            /// A reader of this folder.
            #[must_use]
            pub fn new(root: impl Into<std::path::PathBuf>) -> Self {
                Self { root: root.into(), $($($field: $default),*)? }
            }

            /// Reads a folder with the default settings.
            ///
            /// # Errors
            ///
            /// As [`read`](Self::read).
            pub fn open(root: impl Into<std::path::PathBuf>) -> $crate::Result<$crate::SampleSet> {
                Self::new(root).read()
            }
        }
    };
}

pub(crate) use folder_reader;
