use candle_core::Result;
use ocellus_testing::Golden;

/// `testdata/NAME.safetensors`.
pub(crate) fn golden(name: &str) -> Result<Golden> {
    Golden::read(env!("CARGO_MANIFEST_DIR"), name)
}
