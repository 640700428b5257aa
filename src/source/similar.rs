//! Which known name somebody meant who wrote another one.

/// The name most like `given`, if one is like it at all.
pub fn closest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let limit = (given.chars().count() / 3).clamp(1, 3);
    let distances = known.map(|name| (distance(&given.to_lowercase(), &name.to_lowercase()), name));
    distances
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Edits from one word to the other, a swap of neighbours counting as one.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) =
        (left.chars().take(64).collect(), right.chars().take(64).collect());
    let mut rows = vec![(0..=right.len()).collect::<Vec<_>>()];
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_recognized() {
        let known = ["replicas", "selector", "maxReplicas", "resources"];
        let rows = [
            ("replicsa", Some("replicas")),
            ("maxreplicas", Some("maxReplicas")),
            ("resource", Some("resources")),
            ("zebra", None),
            ("x", None),
        ];
        for (given, expected) in rows {
            assert_eq!(closest(given, known.into_iter()), expected, "{given}");
        }
    }
}
