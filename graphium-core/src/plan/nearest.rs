//! The known word that is meant by an unknown one.

/// The word nearest to another, if it is near enough to be meant.
pub(super) fn nearest<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    let reach = (word.chars().count() / 3).max(1);
    let best = words.iter().map(|candidate| (distance(word, candidate), *candidate)).min()?;
    (best.0 <= reach).then_some(best.1)
}

/// Insertions, deletions and replacements that make one word of the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (deleted, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = deleted + 1;
        for (column, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        assert_eq!(nearest("vm11", &["vm2", "vm1", "db"]), Some("vm1"));
        assert_eq!(nearest("production", &["vm1", "db"]), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
