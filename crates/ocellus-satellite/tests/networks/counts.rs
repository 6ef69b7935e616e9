use candle_core::Result;
use ocellus_backbones::{ResNet, ResNetConfig};
use ocellus_satellite::{NetworkConfig, ResidualSegNetConfig, UNetConfig};
use ocellus_testing::parameter_counts;

/// Millions, rounded.
fn millions(macs: u64) -> u64 {
    (macs + 500_000) / 1_000_000
}

fn parameters(config: impl Into<NetworkConfig>) -> Result<usize> {
    let config = config.into();
    Ok(parameter_counts(|vb| config.build(vb))?.0)
}

/// Parameters, and millions of multiply-accumulates at 256², for four bands and two classes.
struct Published {
    resnet: ResNetConfig,
    encoder: usize,
    paper: (usize, u64),
    authors: (usize, u64),
}

const fn row(
    resnet: ResNetConfig,
    encoder: usize,
    paper: (usize, u64),
    authors: (usize, u64),
) -> Published {
    Published { resnet, encoder, paper, authors }
}

const PUBLISHED: [Published; 6] = [
    row(ResNetConfig::resnet18(), 11_179_648, (14_854_146, 5_943), (16_550_722, 12_730)),
    row(ResNetConfig::resnet34(), 21_287_808, (24_962_306, 8_359), (26_658_882, 15_146)),
    row(ResNetConfig::resnet50(), 23_511_168, (78_700_994, 20_590), (103_629_954, 40_966)),
    row(ResNetConfig::resnet101(), 42_503_296, (97_693_122, 25_438), (122_622_082, 45_814)),
    row(ResNetConfig::resnet152(), 58_146_944, (113_336_770, 30_287), (138_265_730, 50_663)),
    row(ResNetConfig::resnet200(), 62_627_968, (117_817_794, 34_850), (142_746_754, 55_226)),
];

#[test]
fn of_the_residual_networks_are_exact_at_every_depth_in_both_forms() -> Result<()> {
    for Published { resnet, encoder, paper, authors } in PUBLISHED {
        let name = resnet.name;
        let four_bands = resnet.with_in_channels(4);
        assert_eq!(parameter_counts(|vb| ResNet::new(&four_bands, vb))?.0, encoder, "{name}");
        let deep = resnet.depth() > 34;
        let decoders = if deep { [55_189_826, 80_118_786] } else { [3_674_498, 5_371_074] };
        for (config, (count, macs), decoder) in [
            (ResidualSegNetConfig::paper(resnet), paper, decoders[0]),
            (ResidualSegNetConfig::authors(resnet), authors, decoders[1]),
        ] {
            assert_eq!(parameters(config)?, count, "{name}");
            assert_eq!(count - encoder, decoder, "{name}");
            assert_eq!(millions(config.macs(256, 256)), macs, "{name}");
        }
        let without = ResidualSegNetConfig::paper(resnet).with_bias(false);
        assert_eq!(paper.0 - parameters(without)?, if deep { 1_984 } else { 640 }, "{name}");
        let three = ResidualSegNetConfig::authors(resnet).with_bands(3);
        assert_eq!(authors.0 - parameters(three)?, 3_136, "{name}");
    }
    Ok(())
}

#[test]
fn of_the_u_nets_are_exact() -> Result<()> {
    let unet = UNetConfig::unet19();
    assert_eq!(parameters(unet)?, 31_032_386);
    assert_eq!(parameters(unet.with_bands(3))?, 31_031_810);
    assert_eq!(parameters(unet.with_bands(1))?, 31_030_658);
    assert_eq!(parameters(unet.with_batch_norm(true))?, 31_044_162);
    let deep = UNetConfig::unet35();
    assert_eq!(parameters(deep)?, 43_569_986);
    assert_eq!(parameters(deep.with_batch_norm(true))?, 43_589_442);
    assert_eq!(millions(unet.macs(256, 256)), 48_209);
    assert_eq!(millions(deep.macs(256, 256)), 86_864);
    Ok(())
}

/// Table I.
#[test]
fn the_decoder_gives_the_maps_of_table_1() {
    for Published { resnet, .. } in PUBLISHED {
        let config = ResidualSegNetConfig::paper(resnet);
        let expected =
            if resnet.depth() > 34 { [1024, 512, 256, 64, 64] } else { [256, 128, 64, 64, 64] };
        assert_eq!(config.decoder_channels(), expected);
    }
}

/// Multiply-accumulates grow with the padded size alone.
#[test]
fn multiply_accumulates_count_the_padding() {
    let prop = ResidualSegNetConfig::paper(ResNetConfig::resnet18());
    let unet = UNetConfig::unet19();
    assert_eq!(prop.macs(1, 33), prop.macs(32, 64));
    assert_eq!(unet.macs(1, 33), unet.macs(16, 48));
    assert_eq!(prop.macs(512, 256), 2 * prop.macs(256, 256));
    assert_eq!(unet.macs(0, 0), 0);
}
