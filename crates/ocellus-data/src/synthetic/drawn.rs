/// Gives a generator's images as a data set: a number of them, each drawn anew when loaded.
macro_rules! drawn_dataset {
    ($(#[$doc:meta])* $dataset:ident of $generator:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $dataset {
            generator: $generator,
            len: usize,
        }

        impl $generator {
            /// That many images as a data set, each drawn anew when loaded.
            #[must_use]
            pub fn dataset(self, len: usize) -> $dataset {
                $dataset { generator: self, len }
            }
        }

        impl $dataset {
            /// What draws the images.
            #[must_use]
            pub fn generator(&self) -> &$generator {
                &self.generator
            }

            /// The label of each image.
            #[must_use]
            pub fn labels(&self) -> Vec<usize> {
                (0..self.len).map(|index| self.generator.label(index)).collect()
            }
        }

        impl $crate::Dataset for $dataset {
            fn len(&self) -> usize {
                self.len
            }

            fn label(&self, index: usize) -> usize {
                self.generator.label(index)
            }

            fn name(&self, index: usize) -> String {
                format!("synthetic {index}")
            }

            fn load(&self, index: usize) -> $crate::Result<$crate::Example> {
                if index >= self.len {
                    let reason = format!("no sample {index} among {}", self.len);
                    return Err($crate::Error::Setting(reason));
                }
                self.generator.example(index)
            }
        }
    };
}

pub(super) use drawn_dataset;
