//! A user of `ocellus-metrics` alone.

fn main() {
    let labels = [false, false, true, true, false, true, false, true];
    let scores = [0.1, 0.4, 0.35, 0.8, 0.35, 0.7, 0.2, 0.9];
    let area = ocellus_metrics::auroc(&labels, &scores).expect("both classes are there");
    assert_eq!(area, 0.90625);
    println!("AUROC {area}");
}
