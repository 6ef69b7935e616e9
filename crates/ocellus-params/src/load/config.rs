/// How the tensors of a file become the weights of a model.
///
/// The names of the file are changed in this order: those that fit a pattern of
/// [`ignore`](Self::ignore) are left out, [`strip_prefix`](Self::strip_prefix) is taken off,
/// [`rename`](Self::rename) applies, [`add_prefix`](Self::add_prefix) goes before. The default
/// changes nothing and is strict: every weight of the model must be in the file with its shape, and
/// nothing else may be.
///
/// # Examples
///
/// ```
/// use ocellus_params::LoadConfig;
///
/// // A whole network of torchvision's for a backbone that the model calls `encoder`.
/// let config = LoadConfig::default()
///     .with_ignore("classifier.*")
///     .with_add_prefix("encoder.")
///     .with_allow_missing(true);
/// assert_eq!(config.add_prefix.as_deref(), Some("encoder."));
///
/// // Other names: what `*` stands for on the left is put for `*` on the right.
/// let config = LoadConfig::default().with_rename("block*.conv*.kernel", "b*.c*.weight");
/// assert_eq!(config.rename.len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadConfig {
    /// Patterns of names in the file to leave out: `*` stands for any run of characters, dots
    /// included, `?` for any one.
    pub ignore: Vec<String>,
    /// Taken off the names that begin with it; the others stay as they are.
    pub strip_prefix: Option<String>,
    /// Pairs (pattern, replacement), of which the first that fits a name applies. The wildcards of
    /// the replacement take, in order, what those of the pattern stand for; the numbers must agree.
    pub rename: Vec<(String, String)>,
    /// Put before every name.
    pub add_prefix: Option<String>,
    /// Whether weights that the file lacks keep their values.
    pub allow_missing: bool,
    /// Whether tensors that the model lacks are passed over.
    pub allow_unexpected: bool,
    /// Whether tensors of another shape than the model's are passed over: the head of another task.
    pub allow_reshape: bool,
    /// Whether a linear layer's `(out, channels · height · width)` and a convolution's
    /// `(out, channels, height, width)` may stand for each other, as in timm's VGG.
    pub flatten: bool,
    /// The name, in the model, of the first convolution's weight, which is fitted to the model's
    /// number of input channels by [`inflate_stem`](crate::inflate_stem).
    pub inflate_stem: Option<String>,
    /// Whether NaN and infinite values are taken; else they are an error.
    pub allow_non_finite: bool,
}

impl LoadConfig {
    /// Takes what fits and passes over the rest; that nothing at all fits is still an error.
    ///
    /// ```
    /// use ocellus_params::LoadConfig;
    ///
    /// let config = LoadConfig::partial();
    /// assert!(config.allow_missing && config.allow_unexpected && config.allow_reshape);
    /// ```
    #[must_use]
    pub fn partial() -> Self {
        Self { allow_missing: true, allow_unexpected: true, allow_reshape: true, ..Self::default() }
    }

    /// Adds a pattern of names to leave out.
    #[must_use]
    pub fn with_ignore(mut self, pattern: impl Into<String>) -> Self {
        self.ignore.push(pattern.into());
        self
    }

    /// Sets the prefix to take off.
    #[must_use]
    pub fn with_strip_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.strip_prefix = Some(prefix.into());
        self
    }

    /// Adds a renaming, after those that are there.
    #[must_use]
    pub fn with_rename(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.rename.push((from.into(), to.into()));
        self
    }

    /// Sets the prefix to add.
    #[must_use]
    pub fn with_add_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.add_prefix = Some(prefix.into());
        self
    }

    /// Sets whether weights that the file lacks keep their values.
    #[must_use]
    pub fn with_allow_missing(mut self, allow: bool) -> Self {
        self.allow_missing = allow;
        self
    }

    /// Sets whether tensors that the model lacks are passed over.
    #[must_use]
    pub fn with_allow_unexpected(mut self, allow: bool) -> Self {
        self.allow_unexpected = allow;
        self
    }

    /// Sets whether tensors of another shape are passed over.
    #[must_use]
    pub fn with_allow_reshape(mut self, allow: bool) -> Self {
        self.allow_reshape = allow;
        self
    }

    /// Sets whether linear and convolution weights may stand for each other.
    #[must_use]
    pub fn with_flatten(mut self, flatten: bool) -> Self {
        self.flatten = flatten;
        self
    }

    /// Sets the weight to fit to the model's number of input channels.
    #[must_use]
    pub fn with_inflate_stem(mut self, name: impl Into<String>) -> Self {
        self.inflate_stem = Some(name.into());
        self
    }

    /// Sets whether NaN and infinite values are taken.
    #[must_use]
    pub fn with_allow_non_finite(mut self, allow: bool) -> Self {
        self.allow_non_finite = allow;
        self
    }
}
