//! The nearest thing that could have been meant.

/// Longer words are not compared: nobody mistypes a key of that length.
const LONGEST: usize = 40;

/// The candidate nearest to `word`, if any is near enough to be what was meant.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let plain = fold(word);
    // One slip in a short word, up to three in a long one.
    let tolerance = match plain.len() {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .filter_map(|candidate| {
            let other = fold(candidate);
            // `dbb` for `db`: a name of two letters may have one letter too many.
            let tolerance = if other.len() == 2 { tolerance.max(1) } else { tolerance };
            (plain.len().abs_diff(other.len()) <= tolerance)
                .then(|| distance(&plain, &other))
                .filter(|distance| *distance <= tolerance)
                .map(|distance| (distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Without what people vary: case, `-` and `_`.
fn fold(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// `a, b, c`, each in backticks, cut where a list would be longer than a line.
pub(crate) fn list<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    const SHOWN: usize = 12;
    let words: Vec<&str> = words.into_iter().collect();
    let mut text = words.iter().take(SHOWN).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    if words.len() > SHOWN {
        text.push_str(&format!(" and {} more", words.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_forgiven_and_other_words_are_not() {
        let keys = ["image", "name", "dependsOn", "db", "web"];
        assert_eq!(nearest("imgae", keys), Some("image"));
        assert_eq!(nearest("depends_on", keys), Some("dependsOn"));
        assert_eq!(nearest("Image", keys), Some("image"));
        assert_eq!(nearest("dbb", keys), Some("db"));
        assert_eq!(nearest("vm11", ["vm2", "vm1", "db"]), Some("vm1"));
        assert_eq!(nearest("production", ["vm1", "db"]), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(nearest("volume", keys), None);
        assert_eq!(nearest("", keys), None);
        assert_eq!(nearest(&"i".repeat(1_000), keys), None);
    }
}
