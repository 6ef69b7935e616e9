/// From timm's parameter names of a VGG to torchvision's, which ours are: pairs of patterns for
/// `ocellus_params::LoadConfig::with_rename`.
///
/// The convolutions have the same names in both. timm's hidden layers are convolutions of
/// `(4096, 512, 7, 7)` and `(4096, 4096, 1, 1)`, whose values in order are those of the linear
/// layers' `(4096, 25088)` and `(4096, 4096)`: load them with `with_flatten(true)`.
///
/// # Examples
///
/// ```
/// use ocellus_backbones::TIMM_VGG_NAMES;
/// use ocellus_params::LoadConfig;
///
/// let mut config = LoadConfig::default().with_flatten(true);
/// for (theirs, ours) in TIMM_VGG_NAMES {
///     config = config.with_rename(theirs, ours);
/// }
/// assert_eq!(config.rename[2], ("head.fc.*".to_owned(), "classifier.6.*".to_owned()));
/// ```
pub const TIMM_VGG_NAMES: [(&str, &str); 3] = [
    ("pre_logits.fc1.*", "classifier.0.*"),
    ("pre_logits.fc2.*", "classifier.3.*"),
    ("head.fc.*", "classifier.6.*"),
];
