//! Which clients are meant: a name, or a pattern of one.

/// A name in which `*` stands for any text and `?` for any character. A backslash takes from the next character what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Anything,
    Any,
    Exactly(char),
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        let (mut parts, mut characters) = (Vec::new(), text.chars());
        while let Some(character) = characters.next() {
            parts.push(match character {
                '*' => Part::Anything,
                '?' => Part::Any,
                '\\' => Part::Exactly(characters.next().unwrap_or('\\')),
                plain => Part::Exactly(plain),
            });
        }
        Self { parts }
    }

    /// The name, if it is the only one that matches.
    pub(crate) fn name(&self) -> Option<String> {
        let character = |part: &Part| match part {
            Part::Exactly(character) => Some(*character),
            _ => None,
        };
        self.parts.iter().map(character).collect()
    }

    /// Whether a name matches. It takes no longer than the product of both lengths.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let (mut at, mut rest) = (0, name.chars());
        // Where the last `*` was, and what it has not taken yet.
        let mut last: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let here = rest.clone();
            match (self.parts.get(at), rest.next()) {
                (Some(Part::Anything), _) => {
                    at += 1;
                    rest = here.clone();
                    last = Some((at, here));
                    continue;
                }
                (Some(Part::Any), Some(_)) => at += 1,
                (Some(Part::Exactly(wanted)), Some(character)) if *wanted == character => at += 1,
                (None, None) => return true,
                _ => {
                    // The last `*` takes one more.
                    let Some((behind, left)) = &mut last else { return false };
                    if left.next().is_none() {
                        return false;
                    }
                    (at, rest) = (*behind, left.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_as_shells_do() {
        let yes = [
            ("", ""),
            ("*", ""),
            ("*", "any"),
            ("a*", "a"),
            ("sensor-*", "sensor-1"),
            ("*-1", "sensor-1-1"),
            ("a*b*c", "a-b-b-c"),
            ("?", "\u{e9}"),
            ("a?c", "abc"),
            ("a\\*", "a*"),
            ("a\\", "a\\"),
            ("**x", "x"),
        ];
        for (pattern, name) in yes {
            assert!(Pattern::new(pattern).matches(name), "{pattern} {name}");
        }
        let no = [
            ("", "a"),
            ("a", ""),
            ("a", "ab"),
            ("?", ""),
            ("sensor-*", "sensor"),
            ("*-1", "sensor-12"),
            ("a*b*c", "a-c-b"),
            ("a\\*", "ab"),
        ];
        for (pattern, name) in no {
            assert!(!Pattern::new(pattern).matches(name), "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_longer_than_both_lengths() {
        let pattern = "a*".repeat(200) + "b";
        assert!(!Pattern::new(&pattern).matches(&"a".repeat(20_000)));
    }

    #[test]
    fn a_plain_name_is_known_as_one() {
        assert_eq!(Pattern::new("a\\*b").name().as_deref(), Some("a*b"));
        assert_eq!(Pattern::new("a*b").name(), None);
    }
}
