use candle_core::{DType, Device, IndexOp, Result, Tensor};
use ocellus_backbones::ResNetConfig;
use ocellus_params::ParamStore;
use ocellus_satellite::{NetworkConfig, ResidualSegNetConfig, UNetConfig};

/// The first and last column of the output that differ from 0, where a single pixel of the image, at
/// that column, does; all weights are positive.
fn touched(config: &NetworkConfig, columns: usize, column: usize) -> Result<(usize, usize)> {
    let params = ParamStore::seeded(0);
    let config = config.with_bands(1).with_channels(2).with_classes(1);
    let network = config.build(params.var_builder(DType::F64, &Device::Cpu))?;
    for (name, var) in params.trainable() {
        let value = if name.ends_with("bias") { 0. } else { 0.3 };
        var.set(&var.ones_like()?.affine(value, 0.)?)?;
    }
    let impulse = Tensor::arange(0u32, columns as u32, &Device::Cpu)?.eq(column as u32)?;
    let image = impulse.to_dtype(DType::F64)?.reshape((1, 1, 1, columns))?;
    let image = image.broadcast_as((1, 1, config.stride(), columns))?.contiguous()?;
    let y = network.forward_t(&image, false)?.i((0, 0, 0))?.to_vec1::<f64>()?;
    let seen = |v: &f64| *v > 0.;
    let first = y.iter().position(seen).expect("the impulse arrives");
    Ok((first, y.iter().rposition(seen).expect("the impulse arrives")))
}

/// The farthest that any pixel within a stride has an effect, and so the side of the square that
/// holds all that a pixel sees.
fn measured(config: impl Into<NetworkConfig>) -> Result<(usize, usize)> {
    let config = config.into();
    let field = config.receptive_field();
    let columns = (field + 2 * config.stride()).next_multiple_of(config.stride());
    let middle = columns / 2 / config.stride() * config.stride();
    let mut farthest = 0;
    for column in middle..middle + config.stride() {
        let (first, last) = touched(&config, columns, column)?;
        assert!(first > 0 && last + 1 < columns, "the edge is too near");
        farthest = farthest.max(column - first).max(last - column);
    }
    Ok((2 * farthest + 1, field))
}

#[test]
fn the_receptive_field_is_how_far_an_impulse_goes() -> Result<()> {
    let encoder = ResNetConfig::resnet18().with_units([1, 1, 1, 1]);
    let deep = ResNetConfig::resnet50().with_units([1, 2, 1, 1]);
    for config in [
        ResidualSegNetConfig::paper(encoder).into(),
        ResidualSegNetConfig::authors(encoder).into(),
        ResidualSegNetConfig::paper(deep).with_full_resolution_skip(false).into(),
        NetworkConfig::from(UNetConfig::unet19()),
        UNetConfig::unet35().with_convolutions(1).into(),
    ] {
        let (measured, computed) = measured(config)?;
        assert_eq!(measured, computed, "{}", config.name());
    }
    Ok(())
}

/// As computed beside by a program of another language.
#[test]
fn receptive_fields_of_the_papers_networks() {
    for (depth, paper, authors) in [
        (18, 555, 683),
        (34, 1019, 1147),
        (50, 547, 675),
        (101, 1091, 1219),
        (152, 1571, 1699),
        (200, 1827, 1955),
    ] {
        let encoder = ResNetConfig::of_depth(depth).expect("a published depth");
        assert_eq!(ResidualSegNetConfig::paper(encoder).receptive_field(), paper);
        assert_eq!(ResidualSegNetConfig::authors(encoder).receptive_field(), authors);
    }
    assert_eq!(UNetConfig::unet19().receptive_field(), 215);
    assert_eq!(UNetConfig::unet35().receptive_field(), 335);
}

/// What is far enough from the edges of a tile whose offset is a multiple of the stride is what it
/// is in the whole.
#[test]
fn a_tile_on_the_grid_equals_the_whole_beyond_its_margin() -> Result<()> {
    let encoder = ResNetConfig::resnet18().with_units([1, 1, 1, 1]);
    for config in
        [NetworkConfig::from(ResidualSegNetConfig::paper(encoder)), UNetConfig::unet19().into()]
    {
        let config = config.with_channels(2);
        let params = ParamStore::seeded(3);
        let network = config.build(params.var_builder(DType::F32, &Device::Cpu))?;
        let margin = config.receptive_field() / 2;
        let (stride, side) = (config.stride(), 2 * margin + 40);
        let scene = ocellus_testing::fill((1, 4, stride, 3 * side + 11), 0.3, DType::F32)?;
        let whole = network.predict(&scene)?;
        for offset in [stride, 2 * stride, side.next_multiple_of(stride)] {
            let length = side.next_multiple_of(stride);
            let tile = network.predict(&scene.narrow(3, offset, length)?)?;
            let inner = length - 2 * margin;
            let expected = whole.narrow(3, offset + margin, inner)?;
            ocellus_testing::assert_close(&tile.narrow(3, margin, inner)?, &expected, 1e-5)?;
        }
    }
    Ok(())
}
