//! The direct convolution with the vectors of every instruction set.

use candle_core::{DType, Result};
use ocellus_testing::{fill, relative_error};

use crate::simd::with_each_isa;
use crate::{Conv2dConfig, ConvAlgorithm, Padding, conv2d_relu};

/// (input, weight, configuration)
type Case = ([usize; 4], [usize; 4], Conv2dConfig);

fn cases() -> [Case; 7] {
    let conv = Conv2dConfig::default().with_algorithm(ConvAlgorithm::Direct);
    [
        ([2, 70, 31, 33], [17, 70, 3, 3], conv.with_padding(1)), // Two parts of channels.
        ([7, 6, 3, 5], [40, 6, 3, 3], conv.with_padding(1)),     // Vectors across images.
        ([3, 8, 40, 37], [12, 4, 3, 3], conv.with_groups(2).with_stride((2, 2)).with_padding(1)),
        ([2, 33, 30, 30], [20, 33, 1, 1], conv),
        ([1, 3, 64, 70], [9, 3, 7, 7], conv.with_stride((2, 2)).with_padding(3)),
        (
            [1, 2, 20, 21],
            [5, 2, 2, 3],
            conv.with_dilation((3, 2)).with_padding(Padding::new(3, 0, 1, 2)),
        ),
        ([2, 3, 1, 1], [4, 3, 3, 3], conv.with_padding(1)),
    ]
}

#[test]
fn every_instruction_set_gives_the_same() -> Result<()> {
    for (x, weight, config) in cases() {
        let run = |dtype| {
            let bias = fill(weight[0], 0.3, dtype)?;
            conv2d_relu(
                &fill(&x[..], 0.1, dtype)?,
                &fill(&weight[..], 0.2, dtype)?,
                Some(&bias),
                &config,
            )
        };
        let expected = run(DType::F64)?;
        with_each_isa(|isa| {
            let error = relative_error(&run(DType::F32).unwrap(), &expected).unwrap();
            assert!(error < 1e-6, "{x:?} {weight:?} {isa:?}: {error}");
        });
    }
    Ok(())
}
