//! One rank does something else: all are told.

use candle_core::{DType, Device, Tensor};
use ocellus_params::ParamStore;
use ocellus_train::{
    BatchLoss, BoxError, Constant, FitConfig, Learner, Precision, Sgd, SgdConfig, fit,
};

use super::net::{Net, batches, on, threads};

/// The messages of ranks of which one does something else.
fn errors(
    size: usize,
    work: impl Fn(usize, &mut FitConfig) + Sync,
    step: impl Fn(usize, usize, Tensor) -> Result<BatchLoss, BoxError> + Sync,
) -> Vec<String> {
    on(threads(size), |group| {
        let rank = group.rank();
        let mut config = FitConfig::new(2).with_group(group);
        work(rank, &mut config);
        let params = ParamStore::seeded(1);
        let net = Net::new(&params, Precision::F32).unwrap();
        let mut optimizer = Sgd::new(SgdConfig::new(0.1), params.trainable()).unwrap();
        let learner =
            Learner { params: &params, optimizer: &mut optimizer, schedule: &mut Constant };
        let trained = fit(
            &config,
            learner,
            |epoch| Ok(batches(epoch, &config.group).into_iter().map(Ok)),
            |batch, at| step(rank, at.step, net.step(batch, at.step)?),
            |_| Ok(None),
            &mut (),
        );
        trained.map(drop).unwrap_err().to_string()
    })
}

#[test]
fn an_error_of_one_rank_ends_all_and_is_told() {
    for bad in 0..3 {
        let said = errors(
            3,
            |_, _| (),
            |rank, step, loss| {
                if rank == bad && step == 2 {
                    Err("img_7.png is no image".into())
                } else {
                    Ok(loss.into())
                }
            },
        );
        for (rank, said) in said.iter().enumerate() {
            let own = "step failed in epoch 0, batch 2: img_7.png is no image";
            if rank == bad {
                assert_eq!(said, own);
            } else {
                assert!(said.contains(&format!("rank {bad} gave up: {own}")), "{said}");
            }
        }
    }
}

#[test]
fn a_loss_of_one_rank_that_is_no_number_ends_all_alike() {
    let said = errors(
        2,
        |_, _| (),
        |rank, step, loss| {
            Ok(if rank == 1 && step == 1 { loss.affine(f64::NAN, 0.)?.into() } else { loss.into() })
        },
    );
    assert!(said[0].starts_with("the loss is NaN in epoch 0, step 1"), "{}", said[0]);
    assert_eq!(said[0], said[1]);
}

#[test]
fn a_weight_must_be_a_number() {
    let said = errors(
        2,
        |_, _| (),
        |rank, _, loss| Ok(BatchLoss::new(loss, if rank == 0 { f64::INFINITY } else { 1. })),
    );
    assert!(said[0].contains("counts inf"), "{}", said[0]);
    assert!(said[1].contains("rank 0 gave up") && said[1].contains("counts inf"), "{}", said[1]);
    let said = errors(2, |_, _| (), |_, _, loss| Ok(BatchLoss::new(loss, 0.)));
    assert!(said.iter().all(|said| said.contains("count 0")), "{said:?}");
}

#[test]
fn ranks_of_other_settings_are_refused() {
    let step = |_, _, loss: Tensor| Ok(loss.into());
    let said = errors(2, |rank, config| config.seed = rank as u64, step);
    assert!(said[1].contains("other settings than rank 0: seed was `0`, is `1`"), "{}", said[1]);
    assert!(said[0].contains("rank 1 gave up: this rank trains by other settings"), "{}", said[0]);
    let said = errors(2, |rank, config| config.epochs = 2 + rank, step);
    assert!(said[1].contains("(2, None, false) there, (3, None, false) here"), "{}", said[1]);
}

/// Trains ranks on one number, with so many batches each, whose buffer `touch` may change.
fn small(counts: [usize; 2], touch: impl Fn(usize, &ParamStore) + Sync) -> Vec<String> {
    on(threads(2), |group| {
        let rank = group.rank();
        let params = ParamStore::seeded(1);
        let vb = params.var_builder(DType::F64, &Device::Cpu);
        let p = vb.get_with_hints((), "p", candle_nn::Init::Const(0.)).unwrap();
        let _mean = vb.get_with_hints(2, "running_mean", candle_nn::Init::Const(0.)).unwrap();
        let mut optimizer = Sgd::new(SgdConfig::new(0.1), params.trainable()).unwrap();
        let learner =
            Learner { params: &params, optimizer: &mut optimizer, schedule: &mut Constant };
        let trained = fit(
            &FitConfig::new(1).with_group(group),
            learner,
            |_| Ok((0..counts[rank]).map(|_| Ok(()))),
            |(), _| {
                touch(rank, &params);
                Ok(p.sqr()?)
            },
            |_| Ok(None),
            &mut (),
        );
        trained.map_or_else(|error| error.to_string(), |_| "trained".to_owned())
    })
}

#[test]
fn ranks_with_other_numbers_of_batches_are_told() {
    assert_eq!(small([3, 3], |_, _| ()), ["trained", "trained"]);
    for counts in [[3, 2], [1, 3]] {
        for said in small(counts, |_, _| ()) {
            assert!(said.contains("1 of 2 ranks have another batch"), "{said}");
        }
    }
}

#[test]
fn statistics_of_a_ranks_own_share_are_noticed() {
    let touch = |rank, params: &ParamStore| {
        let mean = params.tensors()["running_mean"].clone();
        let own = Tensor::new(&[rank as f64, 1.], &Device::Cpu).unwrap();
        mean.slice_set(&own, 0, 0).unwrap();
    };
    let said = small([1, 1], touch);
    assert!(
        said[1].starts_with("`running_mean` is not the same on rank 1 as on rank 0"),
        "{}",
        said[1]
    );
    assert!(said[0].starts_with("the weights are not the same on all ranks"), "{}", said[0]);
}
