//! Learning rates of 40 epochs against PyTorch's schedulers.

use std::error::Error;

use ocellus_testing::Golden;
use ocellus_train::{
    Constant, Cosine, Goal, KerasDecay, Linear, MultiStepDecay, Per, Plateau, PlateauConfig,
    Position, Schedule, StepDecay, Threshold, WarmUp,
};

type Outcome = Result<(), Box<dyn Error>>;

fn cases() -> ocellus_train::Result<Vec<(&'static str, Box<dyn Schedule>)>> {
    let epoch = Per::Epoch;
    let step_decay = StepDecay::new(epoch, 10, 0.5)?;
    Ok(vec![
        ("step", Box::new(StepDecay::new(epoch, 7, 0.3)?)),
        ("exponential", Box::new(StepDecay::new(epoch, 1, 0.9)?)),
        ("multi_step", Box::new(MultiStepDecay::new(epoch, vec![3, 20, 21], 0.5)?)),
        ("linear", Box::new(Linear::new(epoch, 25, 0.2, 0.7)?)),
        ("cosine", Box::new(Cosine::new(epoch, 39)?.with_last(0.05)?)),
        ("warm_up", Box::new(WarmUp::new(epoch, 6, 0.1, step_decay)?)),
        ("keras_decay", Box::new(KerasDecay::new(0.05)?)),
    ])
}

fn plateaus() -> ocellus_train::Result<Vec<(&'static str, Plateau)>> {
    let (min, max) = (PlateauConfig::new(Goal::Minimize), PlateauConfig::new(Goal::Maximize));
    let cooldown = min
        .with_gamma(0.5)
        .with_patience(1)
        .with_threshold(Threshold::Absolute(0.05))
        .with_cooldown(4)
        .with_min_factor(0.1);
    let relative = Threshold::Relative(0.01);
    let max = max.with_gamma(0.2).with_patience(2).with_threshold(relative).with_eps(1e-3);
    Ok(vec![
        ("plateau", Plateau::new(min.with_gamma(0.5).with_patience(3))?),
        ("plateau_cooldown", Plateau::new(cooldown)?),
        ("plateau_max", Plateau::new(max)?),
    ])
}

#[test]
fn forty_epochs_equal_the_reference() -> Outcome {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "schedules")?;
    for (name, schedule) in cases()? {
        let expected = golden.get(&format!("output.{name}"))?.to_vec1::<f64>()?;
        for (t, expected) in expected.into_iter().enumerate() {
            // One step an epoch: both count alike.
            let factor = schedule.factor(Position::new(t, t));
            assert!((factor - expected).abs() < 1e-12, "{name} at {t}: {factor}, not {expected}");
        }
    }
    Ok(())
}

#[test]
fn plateaus_equal_the_reference_also_when_continued() -> Outcome {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "schedules")?;
    let metrics = golden.get("input.metrics")?.to_vec1::<f64>()?;
    for ((name, mut schedule), (_, mut other)) in plateaus()?.into_iter().zip(plateaus()?) {
        let rises = name == "plateau_max";
        let expected = golden.get(&format!("output.{name}"))?.to_vec1::<f64>()?;
        assert!(expected[39] < 0.5, "{name} never drops");
        for (t, (expected, metric)) in expected.into_iter().zip(&metrics).enumerate() {
            let factor = schedule.factor(Position::new(t, 0));
            assert!((factor - expected).abs() < 1e-12, "{name} at {t}: {factor}, not {expected}");
            schedule.observe(if rises { 3. - metric } else { *metric });
            // Save, load and go on with the copy.
            other.load_state(&schedule.state())?;
            std::mem::swap(&mut schedule, &mut other);
        }
    }
    Ok(())
}

#[test]
fn a_plateau_does_not_mind_values_that_are_no_numbers() -> Outcome {
    let mut schedule = Plateau::new(PlateauConfig::new(Goal::Minimize).with_patience(0))?;
    schedule.observe(f64::NAN);
    assert_eq!(schedule.factor(Position::default()), 0.1);
    Ok(())
}

#[test]
fn warm_up_and_its_schedule_may_count_differently() -> Outcome {
    let schedule = WarmUp::new(Per::Step, 4, 0., Linear::new(Per::Epoch, 2, 1., 0.)?)?;
    assert_eq!(schedule.factor(Position::new(0, 2)), 0.5);
    assert_eq!(schedule.factor(Position::new(1, 10)), 0.5);
    Ok(())
}

#[test]
fn rejects_settings_without_sense() {
    let message = |made: ocellus_train::Result<()>| made.unwrap_err().to_string();
    assert!(message(Cosine::new(Per::Step, 0).map(drop)).contains("at least 1"));
    assert!(message(StepDecay::new(Per::Step, 3, f64::NAN).map(drop)).contains("NaN"));
    assert!(message(KerasDecay::new(-1.).map(drop)).contains("-1"));
    let rising = PlateauConfig::new(Goal::Minimize).with_gamma(2.);
    assert!(message(Plateau::new(rising).map(drop)).contains("below 1"));
    let state = [("plateau.best".to_owned(), 1.)].into();
    assert!(message(Constant.load_state(&state)).contains("no state `plateau.best`"));
}
