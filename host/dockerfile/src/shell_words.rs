//! The words of a line as BuildKit's shell lexer splits them while it looks for here-documents.
//!
//! Owns that one way of reading (`shell.Lex` with `SkipUnsetEnv`): no variable is set, an unset one stays as it is
//! written, and `\` escapes whatever the directive says. Must not know what a word means.

/// How deep substitutions may stand in each other: far above any real line, and far below what a stack holds.
const DEEPEST_NESTING: usize = 64;

/// A word and where in the text it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShellWord {
    pub(crate) text: String,
    pub(crate) start: usize,
}

/// Whether quotes and escape characters stay in the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    Keep,
    Drop,
}

/// Whether a text has quotes that quote something, at least the empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoting {
    None,
    Some,
}

/// Why a text has no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A quote or brace is not closed, or a substitution means nothing.
    Broken,
    /// Substitutions stand too deep in each other.
    TooDeep,
}

/// Gives every word of `text` to `take`. If this fails, the words that were given do not count.
pub(crate) fn each_word(
    text: &str,
    marks: Marks,
    take: &mut dyn FnMut(ShellWord),
) -> Result<Quoting, Unreadable> {
    let mut lexer = Lexer {
        text,
        offset: 0,
        escapes: marks,
        quotes: marks,
        quoting: Quoting::None,
        depth: 0,
        word: None,
        take,
    };
    lexer.until(None, marks, None)?;
    lexer.end_word();
    Ok(lexer.quoting)
}

/// What a blank does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blanks {
    /// It ends the word.
    Split,
    /// It belongs to the word.
    Hold,
}

struct Lexer<'a> {
    text: &'a str,
    offset: usize,
    escapes: Marks,
    quotes: Marks,
    quoting: Quoting,
    depth: usize,
    word: Option<ShellWord>,
    take: &'a mut dyn FnMut(ShellWord),
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.offset..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.offset += character.len_utf8();
        Some(character)
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take() {
            (self.take)(word);
        }
    }

    /// Returns the word that is being read; begins one at the last character if there is none.
    fn open_word(&mut self) -> &mut String {
        let start = self.offset.saturating_sub(1);
        &mut self.word.get_or_insert_with(|| ShellWord { text: String::new(), start }).text
    }

    fn emit(&mut self, character: char, blanks: Blanks) {
        if blanks == Blanks::Split && character.is_whitespace() {
            self.end_word();
            return;
        }
        let start = self.offset.saturating_sub(character.len_utf8());
        self.word.get_or_insert_with(|| ShellWord { text: String::new(), start }).text.push(character);
    }

    /// Reads up to `stop`. `outer` is what blanks do within a substitution or a quote, `None` outside of them.
    fn until(&mut self, stop: Option<char>, escapes: Marks, outer: Option<Blanks>) -> Result<(), Unreadable> {
        if self.depth >= DEEPEST_NESTING {
            return Err(Unreadable::TooDeep);
        }
        self.depth += 1;
        let before = std::mem::replace(&mut self.escapes, escapes);
        let (hold, split) = (outer.unwrap_or(Blanks::Hold), outer.unwrap_or(Blanks::Split));
        while let Some(character) = self.peek() {
            if stop == Some(character) {
                break;
            }
            match character {
                '$' => self.dollar(split)?,
                '<' => self.less_than(hold),
                '\'' | '"' => self.quote(outer)?,
                '\\' => {
                    self.next();
                    if self.escapes == Marks::Keep {
                        self.emit(character, hold);
                    }
                    if let Some(escaped) = self.next() {
                        self.emit(escaped, hold);
                    }
                }
                other => {
                    self.next();
                    self.emit(other, split);
                }
            }
        }
        self.escapes = before;
        self.depth -= 1;
        match stop {
            Some(_) => self.next().map(drop).ok_or(Unreadable::Broken),
            None => Ok(()),
        }
    }

    /// Reads `<`, or `<<` with the blanks after it, which belong to its word.
    fn less_than(&mut self, blanks: Blanks) {
        self.next();
        self.emit('<', blanks);
        if self.peek() == Some('<') {
            self.next();
            self.emit('<', blanks);
            while let Some(blank @ ('\t' | '\r' | ' ')) = self.peek() {
                self.next();
                self.emit(blank, blanks);
            }
        }
    }

    fn quote(&mut self, outer: Option<Blanks>) -> Result<(), Unreadable> {
        let blanks = outer.unwrap_or(Blanks::Hold);
        let Some(open) = self.next() else { return Err(Unreadable::Broken) };
        self.quoting = Quoting::Some;
        if outer.is_none() {
            self.open_word();
        }
        self.emit_quote(open, blanks);
        loop {
            match self.peek().ok_or(Unreadable::Broken)? {
                close if close == open => {
                    self.next();
                    self.emit_quote(close, blanks);
                    return Ok(());
                }
                '$' if open == '"' => self.dollar(blanks)?,
                '\\' if open == '"' => {
                    self.next();
                    if self.escapes == Marks::Keep {
                        self.emit('\\', blanks);
                    }
                    let escaped = match self.peek() {
                        Some('"' | '$' | '\\') => self.next().unwrap_or('\\'),
                        Some(_) | None => '\\',
                    };
                    self.emit(escaped, blanks);
                }
                other => {
                    self.next();
                    self.emit(other, blanks);
                }
            }
        }
    }

    fn emit_quote(&mut self, quote: char, blanks: Blanks) {
        if self.quotes == Marks::Keep {
            self.emit(quote, blanks);
        }
    }

    /// Reads `$name`, `${name}` or `${name…}` and leaves it as it is.
    fn dollar(&mut self, blanks: Blanks) -> Result<(), Unreadable> {
        self.next();
        self.emit('$', blanks);
        if self.peek() != Some('{') {
            self.name(blanks);
            return Ok(());
        }
        self.next();
        self.emit('{', blanks);
        if matches!(self.peek(), None | Some('{' | '}' | ':')) {
            return Err(Unreadable::Broken);
        }
        self.name(blanks);
        let mut operator = self.next();
        let colon = operator == Some(':');
        if colon {
            self.emit(':', blanks);
            operator = self.next();
        }
        match operator {
            Some('}') if !colon => {}
            Some(operator @ ('+' | '-' | '?')) => {
                self.emit(operator, blanks);
                self.until(Some('}'), Marks::Drop, Some(blanks))?;
            }
            Some(operator @ ('#' | '%')) if !colon => {
                self.emit(operator, blanks);
                self.until(Some('}'), Marks::Keep, Some(blanks))?;
            }
            Some('/') => {
                self.emit('/', blanks);
                if self.peek() == Some('/') {
                    self.next();
                }
                self.until(Some('/'), Marks::Keep, Some(blanks))?;
                self.emit('/', blanks);
                self.until(Some('}'), Marks::Keep, Some(blanks))?;
            }
            Some(_) | None => return Err(Unreadable::Broken),
        }
        self.emit('}', blanks);
        Ok(())
    }

    /// Reads a name: digits, one special character, or letters, digits and `_`.
    fn name(&mut self, blanks: Blanks) {
        let Some(first) = self.peek() else { return };
        let belongs: fn(char) -> bool = match first {
            digit if digit.is_numeric() => char::is_numeric,
            '@' | '*' | '#' | '?' | '-' | '$' | '!' => {
                self.next();
                self.emit(first, blanks);
                return;
            }
            _ => |character| character.is_alphanumeric() || character == '_',
        };
        while let Some(character) = self.peek().filter(|character| belongs(*character)) {
            self.next();
            self.emit(character, blanks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, marks: Marks) -> Result<Vec<String>, Unreadable> {
        let mut words = Vec::new();
        each_word(text, marks, &mut |word| words.push(word.text)).map(|_| words)
    }

    #[test]
    fn words_end_at_blanks_that_nothing_holds() {
        for (text, kept, dropped) in [
            (
                r#"a 'b c' "d \" e" f\ g"#,
                &["a", "'b c'", r#""d \" e""#, r"f\ g"][..],
                &["a", "b c", "d \" e", "f g"][..],
            ),
            ("cat <<  E  f", &["cat", "<<  E", "f"], &["cat", "<<  E", "f"]),
            ("<<- E", &["<<-", "E"], &["<<-", "E"]),
            ("'' a''", &["''", "a''"], &["", "a"]),
            ("$x ${y} ${z:-a b}$", &["$x", "${y}", "${z:-a", "b}$"], &["$x", "${y}", "${z:-a", "b}$"]),
            ("\"${z:-a b}\" c", &["\"${z:-a b}\"", "c"], &["${z:-a b}", "c"]),
            ("$((1<<2)) <x", &["$((1<<2))", "<x"], &["$((1<<2))", "<x"]),
            ("${a//b/c d} e", &["${a/b/c", "d}", "e"], &["${a/b/c", "d}", "e"]),
        ] {
            assert_eq!(words(text, Marks::Keep).unwrap(), kept, "{text}");
            assert_eq!(words(text, Marks::Drop).unwrap(), dropped, "{text}");
        }
    }

    #[test]
    fn words_know_where_they_begin() {
        let mut starts = Vec::new();
        each_word("é 'b' <<E", Marks::Keep, &mut |word| starts.push(word.start)).unwrap();
        assert_eq!(starts, [0, 3, 7]);
    }

    #[test]
    fn what_is_not_closed_has_no_words() {
        for text in ["it's", "a \"", "${a", "${a:-b", "${}", "${a:#b}", "${a!b}", "${a/b}"] {
            assert_eq!(words(text, Marks::Keep), Err(Unreadable::Broken), "{text}");
        }
        assert_eq!(words(&"${a:-".repeat(100_000), Marks::Keep), Err(Unreadable::TooDeep));
    }
}
