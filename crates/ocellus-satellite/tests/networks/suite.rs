use candle_core::{DType, Device, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_backbones::ResNetConfig;
use ocellus_layers::{NormStatistics, recalibrate, with_norm_statistics};
use ocellus_params::ParamStore;
use ocellus_satellite::{
    NetworkConfig, ResidualSegNet, ResidualSegNetConfig, SegmentationNetwork, UNet, UNetConfig,
};
use ocellus_testing::{assert_close, check_gradients, check_half, check_model, fill, with_threads};

fn paper() -> ResidualSegNetConfig {
    ResidualSegNetConfig::paper(ResNetConfig::resnet18()).with_channels(2)
}

fn all() -> Vec<NetworkConfig> {
    networks(ResNetConfig::resnet18(), ResNetConfig::resnet50())
}

/// Every network, with an encoder of two convolutions a unit and one of three.
fn networks(basic: ResNetConfig, bottleneck: ResNetConfig) -> Vec<NetworkConfig> {
    let paper = |encoder| ResidualSegNetConfig::paper(encoder).with_channels(2);
    let authors = ResidualSegNetConfig::authors(basic).with_channels(2);
    let unet = UNetConfig::unet19().with_channels(2);
    vec![
        paper(basic).into(),
        authors.into(),
        paper(basic).with_balance(0.5).with_full_resolution_skip(false).with_bias(false).into(),
        authors.with_full_resolution_skip(true).with_balance(2.).into(),
        paper(bottleneck).into(),
        unet.into(),
        unet.with_batch_norm(true).with_convolutions(1).with_bands(4).into(),
    ]
}

#[test]
fn every_network_conforms() -> Result<()> {
    for config in all() {
        check_model(
            |vb| config.build(vb),
            |network, x, train| network.forward_t(&x[0], train),
            &[
                vec![fill((2, 4, 64, 50), 0.1, DType::F32)?],
                vec![fill((1, 4, 33, 65), 0.2, DType::F32)?],
            ],
        )?;
    }
    Ok(())
}

#[test]
fn every_network_computes_in_the_type_of_its_input() -> Result<()> {
    // Of units one a stage: each more doubles what becomes of a rounding. Found: 1.5e-2 and 0.34 in
    // bf16, 2e-3 and 0.091 in f16.
    let shallow = |mut config: ResNetConfig| {
        config.units = [1; 4];
        config
    };
    for config in networks(shallow(ResNetConfig::resnet18()), shallow(ResNetConfig::resnet50())) {
        check_half(
            |vb| config.build(vb),
            |network, x| network.forward_t(&x[0], true),
            &[fill((3, config.bands(), 64, 50), 0.1, DType::F32)?],
            (0.03, 0.6),
        )?;
    }
    Ok(())
}

#[test]
fn any_size_comes_back() -> Result<()> {
    for config in all() {
        let params = ParamStore::seeded(0);
        let network = config.with_classes(3).build(params.var_builder(DType::F32, &Device::Cpu))?;
        for (height, width) in [(1, 1), (5, 70), (32, 31), (64, 96)] {
            let y = network.predict(&fill((2, 4, height, width), 0.1, DType::F32)?)?;
            assert_eq!(y.dims(), [2, 3, height, width]);
            assert!(!y.track_op());
            let sums = y.sum(1)?;
            assert_close(&sums, &sums.ones_like()?, 1e-6)?;
        }
    }
    Ok(())
}

/// A mirrored image is an image: the same is seen with the mirror image given by hand.
#[test]
fn an_odd_size_is_continued_by_its_mirror_image() -> Result<()> {
    let params = ParamStore::seeded(0);
    let network = ResidualSegNet::new(&paper(), params.var_builder(DType::F32, &Device::Cpu))?;
    let x = fill((1, 4, 32, 30), 0.1, DType::F32)?;
    let by_hand = Tensor::cat(&[&x, &x.narrow(3, 28, 1)?, &x.narrow(3, 27, 1)?], 3)?;
    let expected = network.forward_t(&by_hand, false)?.narrow(3, 0, 30)?;
    assert_close(&network.forward_t(&x, false)?, &expected, 0.)
}

#[test]
fn gradients_by_the_image_are_finite_differences() -> Result<()> {
    for config in [NetworkConfig::from(paper()), UNetConfig::unet19().with_channels(2).into()] {
        let params = ParamStore::seeded(1);
        let network = config.with_bands(1).build(params.var_builder(DType::F64, &Device::Cpu))?;
        let x = fill((1, 1, 5, 6), 0.1, DType::F64)?;
        check_gradients(|x| network.forward_t(&x[0], false), &[x], 1e-6)?;
    }
    Ok(())
}

#[test]
fn training_is_the_same_bits_at_any_number_of_threads() -> Result<()> {
    let run = |threads| {
        with_threads(threads, || -> Result<Vec<f32>> {
            let params = ParamStore::seeded(1);
            let config = paper().with_channels(8);
            let network =
                ResidualSegNet::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
            let y = network.forward_t(&fill((2, 4, 64, 96), 0.2, DType::F32)?, true)?;
            let grads = y.sqr()?.sum_all()?.backward()?;
            let mut bits = y.flatten_all()?.to_vec1()?;
            for (_, var) in params.trainable() {
                bits.extend(grads.get(&var).expect("a gradient").flatten_all()?.to_vec1::<f32>()?);
            }
            Ok(bits)
        })
    };
    assert_eq!(run(1)?, run(3)?);
    Ok(())
}

#[test]
fn statistics_of_the_batch_undo_a_change_of_the_sensor() -> Result<()> {
    let params = ParamStore::seeded(1);
    let config = paper().with_channels(4);
    let vb = || params.var_builder(DType::F64, &Device::Cpu);
    let network = ResidualSegNet::new(&config, vb())?;
    let x = fill((2, 4, 64, 64), 0.2, DType::F64)?;
    let brighter = (&x * 1000.)?;
    let batch = |x: &Tensor| with_norm_statistics(NormStatistics::Batch, || network.predict(x));
    let before = params.get("encoder.bn1.running_var").expect("a buffer").copy()?;
    assert_close(&batch(&brighter)?, &batch(&x)?, 2e-2)?;
    assert_close(&params.get("encoder.bn1.running_var").expect("a buffer"), &before, 0.)?;
    Ok(())
}

#[test]
fn a_frozen_network_keeps_no_graph_whichever_statistics_it_uses() -> Result<()> {
    for config in all() {
        let params = ParamStore::seeded(0);
        params.freeze("*");
        let network = config.build(params.var_builder(DType::F32, &Device::Cpu))?;
        let x = fill((1, 4, 64, 40), 0.1, DType::F32)?;
        for statistics in [NormStatistics::Running, NormStatistics::Batch] {
            let y = with_norm_statistics(statistics, || network.forward_t(&x, false))?;
            assert!(!y.track_op(), "{}", network.name());
        }
    }
    Ok(())
}

/// The statistics of each batch alone, averaged by hand.
#[test]
fn recalibration_takes_the_mean_over_batches() -> Result<()> {
    for config in [
        NetworkConfig::from(paper()),
        UNetConfig::unet19().with_channels(2).with_batch_norm(true).into(),
    ] {
        let params = ParamStore::seeded(1);
        let vb = params.var_builder(DType::F64, &Device::Cpu);
        let mut network = config.build(vb)?;
        let batch =
            |i: u32| fill((2, 4, 64, 32), f64::from(i), DType::F64)?.affine(3., f64::from(i));
        let statistics = || params.buffers().into_iter().map(|(_, var)| var.copy());
        let mut sums: Vec<Tensor> = Vec::new();
        for i in 0..3 {
            recalibrate(&*network, [batch(i)])?;
            let of_one = statistics().collect::<Result<Vec<_>>>()?;
            sums = match sums.is_empty() {
                true => of_one,
                false => {
                    let pairs = sums.iter().zip(&of_one);
                    pairs.map(|(a, b)| a + b).collect::<Result<_>>()?
                }
            };
        }
        assert_eq!(recalibrate(&*network, (0..3).map(batch))?, 3);
        for (now, sum) in statistics().zip(&sums) {
            assert_close(&now?, &(sum / 3.)?, 1e-12)?;
        }
        network.pack()?;
        let error = recalibrate(&*network, [batch(0)]).unwrap_err().to_string();
        assert!(error.contains("packed with its running statistics"), "{error}");
    }
    Ok(())
}

#[test]
fn rejects_what_it_cannot_take() -> Result<()> {
    let zeros = || VarBuilder::zeros(DType::F32, &Device::Cpu);
    let network = ResidualSegNet::new(&paper(), zeros())?;
    let unet = UNet::new(&UNetConfig::unet19().with_channels(2), zeros())?;
    let error = |x: &Tensor| network.forward_t(x, false).unwrap_err().to_string();
    let three = Tensor::zeros((1, 3, 32, 32), DType::F32, &Device::Cpu)?;
    assert!(error(&three).contains("Prop-18 expects 4 bands, got 3"));
    assert!(error(&three.get(0)?).contains("got [3, 32, 32]"));
    let empty = Tensor::zeros((1, 4, 0, 32), DType::F32, &Device::Cpu)?;
    assert!(error(&empty).contains("a height and a width"));
    let error = unet.predict(&three).unwrap_err().to_string();
    assert!(error.contains("U-Net(19) expects 4 bands, got 3"), "{error}");
    for (config, expected) in [
        (paper().with_classes(0), "a class at least"),
        (paper().with_balance(0.), "the balance must be positive, got 0"),
        (paper().with_balance(f64::NAN), "the balance must be positive, got NaN"),
        (paper().with_bands(0), "0 to 2 channels"),
        (
            ResidualSegNetConfig::paper(ResNetConfig::resnet18().with_stage_count(3)),
            "the encoder's four stages, got 3",
        ),
    ] {
        let error = ResidualSegNet::new(&config, zeros()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    for config in [UNetConfig::unet19().with_convolutions(0), UNetConfig::unet19().with_classes(0)]
    {
        let error = UNet::new(&config, zeros()).unwrap_err().to_string();
        assert!(error.contains("neither may be 0"), "{error}");
    }
    Ok(())
}
