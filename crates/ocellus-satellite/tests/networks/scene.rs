use candle_core::{DType, Device, Result, Tensor};
use ocellus_backbones::ResNetConfig;
use ocellus_data::raster::MemoryScene;
use ocellus_data::{Blend, Normalize, TileConfig};
use ocellus_params::ParamStore;
use ocellus_satellite::{
    NetworkConfig, PieceSink, ResidualSegNetConfig, ScenePiece, SegmentConfig, SegmentationNetwork,
    Segmenter,
};
use ocellus_testing::fill;

const BANDS: usize = 3;
/// No multiples of a stride: the last tiles are continued by their mirror images, as the whole is.
const SIZE: (usize, usize) = (399, 333);

/// The whole scene's probabilities, `(classes, height, width)`.
struct Whole(Vec<f32>);

impl PieceSink for Whole {
    fn piece(&mut self, piece: &ScenePiece) -> ocellus_satellite::Result<()> {
        let at = &piece.piece;
        for (n, row) in at.values.chunks_exact(at.width).enumerate() {
            let (class, y) = (n / at.height, at.y + n % at.height);
            let to = (class * SIZE.0 + y) * SIZE.1 + at.x;
            self.0[to..to + at.width].copy_from_slice(row);
        }
        Ok(())
    }

    fn row_finished(&mut self) -> ocellus_satellite::Result<()> {
        Ok(())
    }
}

fn stitched(network: &dyn SegmentationNetwork, scene: &Tensor, tiles: TileConfig) -> Result<Whole> {
    let normalize = Normalize::constants(&[0.; BANDS], &[1.; BANDS]).expect("finite constants");
    let predict = |x: &Tensor| network.predict(x);
    let classes = network.classes();
    let config = SegmentConfig::new(tiles.with_blend(Blend::Clip));
    let segmenter = Segmenter::new(&predict, classes, &normalize, config).expect("two classes");
    let values = scene.flatten_all()?.to_vec1()?;
    let mut source =
        MemoryScene::new(BANDS, SIZE.0 as u32, SIZE.1 as u32, values).expect("a scene");
    let mut whole = Whole(vec![f32::NAN; classes * SIZE.0 * SIZE.1]);
    segmenter.run(&mut source, &mut whole, &mut |_, _| {}).expect("a segmented scene");
    Ok(whole)
}

#[test]
fn tiles_that_overlap_by_the_receptive_field_give_one_pass_of_the_network() -> Result<()> {
    let encoder = ResNetConfig::resnet50().with_units([1, 1, 1, 1]);
    let config = NetworkConfig::from(ResidualSegNetConfig::paper(encoder));
    let config = config.with_bands(BANDS).with_channels(2);
    let params = ParamStore::seeded(5);
    let mut network = config.build(params.var_builder(DType::F32, &Device::Cpu))?;
    network.pack()?;
    let scene = fill((1, BANDS, SIZE.0, SIZE.1), 0.3, DType::F32)?;
    let one_pass = network.predict(&scene)?.flatten_all()?.to_vec1::<f32>()?;
    let difference = |tiles| -> Result<f32> {
        let whole = stitched(&*network, &scene, tiles)?.0;
        let pairs = whole.iter().zip(&one_pass);
        // A pixel that no tile gave is NaN, and shows.
        Ok(pairs.map(|(a, b)| (a - b).abs()).fold(0., |most, d| if d <= most { most } else { d }))
    };
    let (field, stride) = (network.receptive_field(), network.stride());
    let overlap = field.next_multiple_of(stride);
    assert!(difference(TileConfig::new(overlap + 2 * stride, overlap))? <= 1e-5);
    // With less overlap, or off the grid, the difference shows.
    assert!(difference(TileConfig::new(3 * stride, stride))? > 1e-5);
    assert!(difference(TileConfig::new(overlap + stride + 5, overlap))? > 1e-5);
    Ok(())
}
