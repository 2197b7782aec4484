//! Whether scores mean what they say: of the links given 0.9, are nine in ten true? Figures as the landscape's judge has
//! them: average precision, recall at 99 % precision, calibration error and Brier score over listed pairs.

use serde::Serialize;

/// One host with its score for one seed or provider, and what is true of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// For which seed or provider.
    pub of: String,
    /// The score, 0 to 1.
    pub score: f64,
    /// True when the host is the provider's.
    pub is_true: bool,
}

/// One row of a reliability table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Scores from here on.
    pub from: f64,
    /// To here.
    pub to: f64,
    /// Pairs.
    pub pairs: u64,
    /// Of these, true ones.
    pub trues: u64,
    /// Their mean score: what was claimed.
    pub claimed: f64,
    /// The share that is true.
    pub share: f64,
    /// Wilson's 95 % interval of that share.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// How good a set of scores is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reliability {
    /// Seeds or providers.
    pub seeds: u64,
    /// True pairs that were to be found, listed or not.
    pub wanted: u64,
    /// Pairs with a score of 0.01 or more.
    pub listed: u64,
    /// Mean over the seeds of the average precision.
    pub average_precision: f64,
    /// Share of the wanted pairs above the lowest cut, one for all seeds, at which 99 % are true.
    pub recall_at_99: f64,
    /// Share of true pairs among those with a score of 0.5 or more.
    pub precision_at_half: f64,
    /// Share of the wanted pairs with such a score.
    pub recall_at_half: f64,
    /// Expected calibration error of listed pairs, over 15 bins of equal size.
    pub calibration_error: f64,
    /// Mean squared error of listed pairs.
    pub brier: f64,
    /// The table.
    pub bins: Vec<Bin>,
}

/// Listed pairs have this score at least.
const LISTED: f64 = 0.01;
/// Bins of equal size for the calibration error.
const BINS: usize = 15;
/// Edges of the table's rows: closer where claims are strong.
const EDGES: [f64; 13] = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1.0];

/// Judges scores. `wanted` gives for each seed how many true hosts there are beside it.
#[must_use]
pub fn reliability(pairs: &[Labelled], wanted: &[(String, u64)]) -> Reliability {
    let need: u64 = wanted.iter().map(|one| one.1).sum();
    let precisions: Vec<f64> = wanted
        .iter()
        .map(|(name, total)| {
            let mut own: Vec<&Labelled> = pairs.iter().filter(|one| one.of == *name).collect();
            own.sort_by(|a, b| b.score.total_cmp(&a.score));
            average_precision(&own, *total)
        })
        .collect();
    let mut pooled: Vec<&Labelled> = pairs.iter().collect();
    pooled.sort_by(|a, b| b.score.total_cmp(&a.score));
    let listed: Vec<&Labelled> = pooled.iter().filter(|one| one.score >= LISTED).copied().collect();
    let half: Vec<&Labelled> = pooled.iter().filter(|one| one.score >= 0.5).copied().collect();
    Reliability {
        seeds: count(wanted.len()),
        wanted: need,
        listed: count(listed.len()),
        average_precision: mean(&precisions),
        recall_at_99: ratio(found_at(&pooled, 0.99), need),
        precision_at_half: if half.is_empty() { 1.0 } else { ratio(trues(&half), count(half.len())) },
        recall_at_half: ratio(trues(&half), need),
        calibration_error: calibration_error(&listed),
        brier: mean(&listed.iter().map(|one| (truth(one) - one.score).powi(2)).collect::<Vec<f64>>()),
        bins: EDGES.iter().zip(EDGES.iter().skip(1)).map(|(from, to)| bin(&listed, *from, *to)).collect(),
    }
}

/// Average precision of one ranking, best first; hosts of one score share their place.
fn average_precision(ranked: &[&Labelled], total: u64) -> f64 {
    let (mut hits, mut place, mut sum) = (0.0, 0.0, 0.0);
    for block in ranked.chunk_by(|a, b| a.score == b.score) {
        let here = trues(block) as f64;
        hits += here;
        place += count(block.len()) as f64;
        sum += here * hits / place;
    }
    if total == 0 { 0.0 } else { sum / total as f64 }
}

/// Most true pairs above a cut at which this share is true.
fn found_at(pooled: &[&Labelled], precision: f64) -> u64 {
    let (mut hits, mut place, mut best) = (0_u64, 0_u64, 0_u64);
    for block in pooled.chunk_by(|a, b| a.score == b.score) {
        hits += trues(block);
        place += count(block.len());
        if hits as f64 >= precision * place as f64 {
            best = best.max(hits);
        }
    }
    best
}

fn calibration_error(listed: &[&Labelled]) -> f64 {
    let all = listed.len();
    let slices = (0..BINS).filter_map(|bin| listed.get(bin * all / BINS..(bin + 1) * all / BINS));
    let off = |slice: &[&Labelled]| {
        let claimed: f64 = slice.iter().map(|one| one.score).sum();
        (claimed - trues(slice) as f64).abs()
    };
    slices.map(off).sum::<f64>() / count(all).max(1) as f64
}

fn bin(listed: &[&Labelled], from: f64, to: f64) -> Bin {
    let inside = |score: f64| score >= from && (score < to || to >= 1.0);
    let own: Vec<&Labelled> = listed.iter().filter(|one| inside(one.score)).copied().collect();
    let (pairs, trues) = (count(own.len()), trues(&own));
    let (low, high) = wilson(trues, pairs);
    let claimed = mean(&own.iter().map(|one| one.score).collect::<Vec<f64>>());
    Bin { from, to, pairs, trues, claimed, share: ratio(trues, pairs), low, high }
}

/// Wilson's 95 % interval of a share; all of 0 to 1 without any pair.
fn wilson(trues: u64, pairs: u64) -> (f64, f64) {
    const Z: f64 = 1.96;
    if pairs == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (pairs as f64, ratio(trues, pairs));
    let middle = p + Z * Z / (2.0 * n);
    let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let below = 1.0 + Z * Z / n;
    (((middle - reach) / below).max(0.0), ((middle + reach) / below).min(1.0))
}

fn truth(one: &Labelled) -> f64 {
    f64::from(u8::from(one.is_true))
}

fn trues(pairs: &[&Labelled]) -> u64 {
    count(pairs.iter().filter(|one| one.is_true).count())
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len()).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(scores: &[(f64, bool)]) -> Vec<Labelled> {
        scores
            .iter()
            .map(|(score, is_true)| Labelled { of: "s".to_owned(), score: *score, is_true: *is_true })
            .collect()
    }

    fn judged(scores: &[(f64, bool)], wanted: u64) -> Reliability {
        reliability(&pairs(scores), &[("s".to_owned(), wanted)])
    }

    #[test]
    fn average_precision_is_that_of_the_textbook_and_missing_hosts_cost_it() {
        // Hits at places 1 and 3 of two wanted: (1 + 2/3) / 2.
        let found = judged(&[(0.9, true), (0.8, false), (0.7, true)], 2);
        assert!((found.average_precision - 5.0 / 6.0).abs() < 1e-12);
        assert!((judged(&[(0.9, true)], 4).average_precision - 0.25).abs() < 1e-12);
    }

    #[test]
    fn hosts_of_one_score_share_their_place_whatever_their_order() {
        let (one, other) = (judged(&[(0.9, true), (0.9, false)], 1), judged(&[(0.9, false), (0.9, true)], 1));
        assert_eq!(one, other);
        assert!((one.average_precision - 0.5).abs() < 1e-12);
    }

    #[test]
    fn recall_counts_up_to_the_lowest_cut_that_is_pure_enough() {
        let mut scores: Vec<(f64, bool)> = (0..199).map(|n| (0.9 - f64::from(n) * 1e-4, true)).collect();
        scores.push((0.5, false));
        scores.push((0.4, true));
        scores.extend([(0.3, false), (0.2, false)]);
        assert!((judged(&scores, 400).recall_at_99 - 0.5).abs() < 1e-12);
    }

    #[test]
    fn scores_that_keep_their_word_have_no_calibration_error() {
        let kept: Vec<(f64, bool)> = (0..1500).map(|n| (0.8, n % 5 != 0)).collect();
        let found = judged(&kept, 1200);
        assert!(found.calibration_error < 0.01, "{}", found.calibration_error);
        let row = found.bins.iter().find(|bin| bin.pairs > 0).unwrap();
        assert!((row.share - 0.8).abs() < 1e-12 && row.low < 0.8 && row.high > 0.8);
        let boasting: Vec<(f64, bool)> = (0..1500).map(|n| (0.8, n % 2 == 0)).collect();
        assert!((judged(&boasting, 750).calibration_error - 0.3).abs() < 0.01);
    }

    #[test]
    fn nothing_listed_gives_figures_and_no_fault() {
        let found = judged(&[], 5);
        assert!(found.average_precision == 0.0 && found.calibration_error == 0.0 && found.recall_at_99 == 0.0);
        assert!(found.bins.iter().all(|bin| (bin.low, bin.high) == (0.0, 1.0)));
    }
}
