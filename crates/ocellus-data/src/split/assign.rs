use crate::random::Random;

const STREAM: u64 = 0x5b11;

/// Puts each group into one part; gives the parts' samples, sorted.
pub(crate) fn assign(
    members: &[Vec<usize>],
    labels: &[usize],
    classes: usize,
    shares: &[f64],
    seed: u64,
) -> Vec<Vec<usize>> {
    let count = |group: &[usize]| {
        let mut counts = vec![0.; classes];
        group.iter().for_each(|&i| counts[labels[i]] += 1.);
        counts
    };
    let counts: Vec<Vec<f64>> = members.iter().map(|group| count(group)).collect();
    let totals: Vec<f64> = (0..classes).map(|c| counts.iter().map(|n| n[c]).sum()).collect();
    let mut missing: Vec<Vec<f64>> =
        shares.iter().map(|share| totals.iter().map(|n| n * share).collect()).collect();
    // Large groups first: small ones even out what they leave. Equals are in random order.
    let mut order: Vec<usize> = (0..members.len()).collect();
    Random::keyed(seed, members.len() as u64, shares.len() as u64, STREAM).shuffle(&mut order);
    order.sort_by_key(|&group| std::cmp::Reverse(members[group].len()));
    let mut parts = vec![Vec::new(); shares.len()];
    for group in order {
        let part = neediest(&missing, &counts[group], &totals, shares);
        missing[part].iter_mut().zip(&counts[group]).for_each(|(need, n)| *need -= n);
        parts[part].extend_from_slice(&members[group]);
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts
}

/// The part whose distance from its shares the group reduces most; of equal ones that which misses
/// most samples in all.
///
/// For a group of one this is the part that misses its class most, which ends with every count
/// within one of its share: what is assigned is always the largest of needs that sum to at least 1.
fn neediest(missing: &[Vec<f64>], group: &[f64], totals: &[f64], shares: &[f64]) -> usize {
    let gain = |part: &[f64]| -> f64 {
        let class = |((need, n), total): ((&f64, &f64), &f64)| n * (2. * need - n) / total.powi(2);
        part.iter().zip(group).zip(totals).filter(|(_, total)| **total > 0.).map(class).sum()
    };
    let overall = |part: &[f64]| -> f64 { part.iter().sum() };
    let mut best: Option<(usize, f64, f64)> = None;
    for (part, need) in missing.iter().enumerate().filter(|(part, _)| shares[*part] > 0.) {
        let (gain, overall) = (gain(need), overall(need));
        let better = best.is_none_or(|(_, best_gain, best_overall)| {
            gain > best_gain + 1e-9 || (gain > best_gain - 1e-9 && overall > best_overall + 1e-9)
        });
        if better {
            best = Some((part, gain, overall));
        }
    }
    best.map_or(0, |(part, ..)| part)
}
