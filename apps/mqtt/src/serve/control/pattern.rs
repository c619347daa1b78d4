//! Which clients are meant: a name, or a pattern of one.

/// No longer a text with a `?` may stand between two `*`: it is searched for character by character.
const WILD_MAX: usize = 64;

/// A name in which `*` stands for any text and `?` for any character. A backslash takes from the next character what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// What stands before, between and behind the `*`: one piece more than there are of them.
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Plain(String),
    /// With a `None` for each `?`.
    Wild(Vec<Option<char>>),
}

impl Pattern {
    /// Reads a pattern, unless it is one that takes too long to search for.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let (mut pieces, mut piece, mut characters) = (Vec::new(), Vec::new(), text.chars());
        while let Some(character) = characters.next() {
            match character {
                '*' => pieces.push(Piece::new(std::mem::take(&mut piece))),
                '?' => piece.push(None),
                '\\' => piece.push(Some(characters.next().unwrap_or('\\'))),
                plain => piece.push(Some(plain)),
            }
        }
        pieces.push(Piece::new(piece));
        let is_long = |piece: &Piece| matches!(piece, Piece::Wild(parts) if parts.len() > WILD_MAX);
        if let [_, middle @ .., _] = pieces.as_slice()
            && middle.iter().any(is_long)
        {
            return Err(format!(
                "the pattern has a ? in a text of more than {WILD_MAX} characters between two *: make it shorter"
            ));
        }
        Ok(Self { pieces })
    }

    /// The name, if it is the only one that matches.
    pub(crate) fn name(&self) -> Option<String> {
        match self.pieces.as_slice() {
            [Piece::Plain(name)] => Some(name.clone()),
            _ => None,
        }
    }

    /// Whether a name matches. The time for it grows with the length of the name, however the pattern is made.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let (first, middle, last) = match self.pieces.as_slice() {
            [] => return name.is_empty(),
            [only] => return only.strip_front(name).is_some_and(str::is_empty),
            [first, middle @ .., last] => (first, middle, last),
        };
        let Some(rest) = first.strip_front(name).and_then(|rest| last.strip_back(rest)) else {
            return false;
        };
        // The first place that is found leaves most to the pieces behind it.
        let found = middle.iter().try_fold(rest, |rest, piece| piece.strip_first(rest));
        found.is_some()
    }
}

impl Piece {
    fn new(parts: Vec<Option<char>>) -> Self {
        match parts.iter().copied().collect() {
            Some(plain) => Self::Plain(plain),
            None => Self::Wild(parts),
        }
    }

    /// What is behind it, where a text begins with it.
    fn strip_front<'n>(&self, text: &'n str) -> Option<&'n str> {
        let parts = match self {
            Self::Plain(plain) => return text.strip_prefix(plain),
            Self::Wild(parts) => parts,
        };
        let mut characters = text.chars();
        let mut fits = |part: &Option<char>| {
            characters
                .next()
                .is_some_and(|one| part.is_none_or(|wanted| wanted == one))
        };
        parts.iter().all(&mut fits).then_some(characters.as_str())
    }

    /// What is before it, where a text ends with it.
    fn strip_back<'n>(&self, text: &'n str) -> Option<&'n str> {
        let parts = match self {
            Self::Plain(plain) => return text.strip_suffix(plain),
            Self::Wild(parts) => parts,
        };
        let mut characters = text.chars();
        let mut fits = |part: &Option<char>| {
            characters
                .next_back()
                .is_some_and(|one| part.is_none_or(|wanted| wanted == one))
        };
        parts.iter().rev().all(&mut fits).then_some(characters.as_str())
    }

    /// What is behind the first place in a text where it is.
    fn strip_first<'n>(&self, text: &'n str) -> Option<&'n str> {
        match self {
            // Even to prepare a search takes as long as what is searched for.
            Self::Plain(plain) if plain.len() > text.len() => None,
            Self::Plain(plain) => text.split_once(plain.as_str()).map(|(_, behind)| behind),
            Self::Wild(_) => {
                let mut starts = text.char_indices().map(|(at, _)| &text[at..]);
                starts.find_map(|rest| self.strip_front(rest))
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
            ("*b?*d", "ab-bcd"),
            ("a*?", "ab"),
            ("?*?", "ab"),
            ("\u{e9}*?\u{e9}", "\u{e9}\u{e9}\u{e9}"),
        ];
        for (pattern, name) in yes {
            assert!(Pattern::new(pattern).unwrap().matches(name), "{pattern} {name}");
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
            ("ab*ba", "aba"),
            ("?*?", "a"),
            ("*b?*d", "abd"),
        ];
        for (pattern, name) in no {
            assert!(!Pattern::new(pattern).unwrap().matches(name), "{pattern} {name}");
        }
    }

    /// As long as any, 256 times: what a page looks at. Character by character it would take hours.
    #[test]
    fn no_pattern_takes_longer_for_a_name_than_its_length() {
        let name = "a".repeat(65_535);
        let patterns = [
            "a*".repeat(200) + "b",
            format!("*{}b*", "a".repeat(30_000)),
            format!("*{}b", "a".repeat(30_000)),
            format!("*{}?b", "a".repeat(30_000)),
            format!("*{}?b*", "a".repeat(WILD_MAX - 2)),
        ];
        for pattern in patterns {
            let pattern = Pattern::new(&pattern).unwrap();
            let rounds = if matches!(pattern.pieces.get(1), Some(Piece::Wild(_))) {
                4
            } else {
                256
            };
            assert!((0..rounds).all(|_| !pattern.matches(&name)));
        }
        assert!(Pattern::new(&format!("*{}?*", "a".repeat(WILD_MAX))).is_err());
    }

    #[test]
    fn a_plain_name_is_known_as_one() {
        assert_eq!(Pattern::new("a\\*b").unwrap().name().as_deref(), Some("a*b"));
        assert_eq!(Pattern::new("a*b").unwrap().name(), None);
    }
}
