//! Collecting a result: as one word, or as the words between its blanks.

/// A result in the making.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// All of it; when words are collected, the word that is not complete yet.
    pub(super) text: String,
    /// The complete words, if words are collected.
    words: Option<Vec<String>>,
}

impl Output {
    /// Begins to collect words.
    pub(super) fn words() -> Self {
        Self { text: String::new(), words: Some(Vec::new()) }
    }

    /// Appends text as it is, blanks or not.
    pub(super) fn literal(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends text whose blanks split words.
    pub(super) fn plain(&mut self, text: &str) {
        let Some(words) = &mut self.words else { return self.text.push_str(text) };
        for character in text.chars() {
            if !character.is_whitespace() {
                self.text.push(character);
            } else if !self.text.is_empty() {
                words.push(std::mem::take(&mut self.text));
            }
        }
    }

    /// Returns the words that were collected.
    pub(super) fn into_words(self) -> Vec<String> {
        let mut words = self.words.unwrap_or_default();
        words.extend(Some(self.text).filter(|text| !text.is_empty()));
        words
    }
}
