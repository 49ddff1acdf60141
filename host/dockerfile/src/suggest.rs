//! "Did you mean": the known name that is nearest to a misspelt one.

/// The longest name that is compared; a longer one is no slip of the pen, and the comparison is quadratic.
const LONGEST: usize = 64;

/// Returns the candidate nearest to `name`, unless all are too far away to be meant.
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if name.len() > LONGEST {
        return None;
    }
    let lower = name.to_lowercase();
    let allowed = (lower.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// Counts the insertions, deletions, replacements and swaps of neighbours that make `left` into `right`.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut last_letter = None;
    for (number, letter) in left.chars().enumerate() {
        let mut next = vec![number + 1];
        let mut last = number + 1;
        let mut last_other = None;
        for (column, (other, pair)) in right.iter().zip(row.windows(2)).enumerate() {
            let &[diagonal, above] = pair else { continue };
            last = (diagonal + usize::from(letter != *other)).min(above + 1).min(last + 1);
            if last_letter == Some(*other) && last_other == Some(letter) {
                let swapped = column.checked_sub(1).and_then(|column| before.get(column));
                last = swapped.map_or(last, |cost| last.min(cost + 1));
            }
            last_other = Some(*other);
            next.push(last);
        }
        last_letter = Some(letter);
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["COPY", "CMD", "ENTRYPOINT", "ENV"];
        assert_eq!(closest("copu", names).as_deref(), Some("COPY"));
        assert_eq!(closest("ENTRPOINT", names).as_deref(), Some("ENTRYPOINT"));
        assert_eq!(closest("form", ["chmod", "from"]).as_deref(), Some("from"));
        assert_eq!(closest("banana", names), None);
        assert_eq!(closest(&"x".repeat(10_000), names), None);
    }

    #[test]
    fn distances() {
        for (left, right, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("form", "from", 1),
            ("ab", "ba", 1),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }
}
